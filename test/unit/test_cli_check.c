/* SPDX-License-Identifier: Apache-2.0 */
/* Each check against a node made of a few files below a directory of its own. */
#include "checks.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "suite.h"

#define RUNTIMES    "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes."
#define HOST_CONF   "/etc/cleave/host.conf"
#define TENANT_CONF "/etc/cleave/tenant.conf"
#define CONTAINERD  "/etc/containerd/config.toml"
#define ACCEL       "/var/lib/cleave/h/accel.json"

static struct error err;
static char root[64];

static void begin(void)
{
    (void) strcpy(root, "/tmp/check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert(setenv("PATH", "/usr/bin:/bin", 1) == 0);
}

static void end(void)
{
    ck_assert_msg(file_remove_tree(root, &err) == 0, "%s", err.message);
}

static char *make_parent(const char *path)
{
    char *there = xformat("%s%s", root, path);
    scoped(freep) char *parent = xstrndup(there, (size_t) (strrchr(there, '/') - there));

    ck_assert(file_make_directories(parent, 0755, &err) == 0);
    return there;
}

static void put_mode(const char *path, const char *text, mode_t mode)
{
    scoped(freep) char *there = make_parent(path);

    ck_assert(file_write_atomic(there, text, strlen(text), mode, &err) == 0);
}

static void put(const char *path, const char *text)
{
    put_mode(path, text, 0644);
}

static void put_program(const char *path, const char *text)
{
    put_mode(path, text, 0755);
}

/* Any character device will do; making one would need root. */
static void put_device(const char *path)
{
    scoped(freep) char *there = make_parent(path);

    (void) unlink(there);
    ck_assert(symlink("/dev/null", there) == 0);
}

static void drop(const char *path)
{
    scoped(freep) char *there = xformat("%s%s", root, path);

    ck_assert(file_remove_tree(there, &err) == 0);
}

static int put_listener(const char *path)
{
    scoped(freep) char *there = make_parent(path);
    int fd = -1;

    ck_assert_msg(fd_listen_unix(there, &fd, &err) == 0, "%s", err.message);
    return fd;
}

/* Runs the realm's table up to this row, as the program does. */
static struct check_result look(const struct realm *realm, const char *name)
{
    scoped(node_fini) struct node node = {.realm = realm, .root = root};
    struct check_result result = {0};

    for (size_t i = 0; i < realm->count; i++) {
        check_run(&realm->checks[i], &node, &result);
        if (strcmp(realm->checks[i].name, name) == 0)
            return result;
    }
    ck_abort_msg("no check '%s'", name);
}

static void expect(const struct realm *realm, const char *name, enum check_grade grade,
                   const char *word)
{
    struct check_result result = look(realm, name);

    ck_assert_msg(result.grade == grade && strstr(result.fact, word), "%s: grade %d: %s (%d, '%s')",
                  name, (int) result.grade, result.fact, (int) grade, word);
    /* Whoever complains says what to do. */
    if (grade == CHECK_FAIL)
        ck_assert_msg(result.advice[0], "%s: %s", name, result.fact);
}

#define DIALLED "[transport]\nname = \"dial-out\"\naddress = \"192.0.2.1\"\n"

START_TEST(the_way_to_the_guest_must_be_there)
{
    begin();
    expect(&tenant_realm, "transport", CHECK_SILENT, "");
    put(TENANT_CONF, "[transport]\nname = \"relay\"\naddress = \"/run/relay\"\n");
    expect(&tenant_realm, "transport", CHECK_FAIL, "/run/relay");
    put("/run/relay", "");
    expect(&tenant_realm, "transport", CHECK_OK, "/run/relay");
    put(TENANT_CONF, DIALLED);
    expect(&tenant_realm, "transport", CHECK_FAIL, "192.0.2.1");
    put(TENANT_CONF, "provisioner = \"static\"\n" DIALLED);
    expect(&tenant_realm, "transport", CHECK_FAIL, "static");
    end();
}
END_TEST

START_TEST(a_configuration_is_right_absent_or_wrong_in_a_line)
{
    begin();
    expect(&host_realm, "config", CHECK_OK, "defaults");
    expect(&tenant_realm, "config", CHECK_OK, "defaults");
    put(HOST_CONF, "[machine]\ncolour = 1\n");
    put(TENANT_CONF, "\n\ncolour = 1\n");
    expect(&host_realm, "config", CHECK_FAIL, "host.conf: line 2: machine.colour");
    expect(&tenant_realm, "config", CHECK_FAIL, "tenant.conf: line 3: colour");
    expect(&host_realm, "helper", CHECK_SILENT, "");
    put(HOST_CONF, "[machine]\naccel = \"tcg\"\n");
    put(TENANT_CONF, "");
    expect(&host_realm, "config", CHECK_OK, "/etc/cleave/host.conf");
    expect(&tenant_realm, "config", CHECK_OK, "/etc/cleave/tenant.conf");
    end();
}
END_TEST

START_TEST(the_helper_must_be_a_program)
{
    begin();
    put(HOST_CONF, "[machine]\nhelper = \"/opt/helper\"\n");
    expect(&host_realm, "helper", CHECK_FAIL, "/opt/helper");
    put("/opt/helper", "#!/bin/sh\n");
    expect(&host_realm, "helper", CHECK_FAIL, "/opt/helper");
    put_program("/opt/helper", "#!/bin/sh\n");
    expect(&host_realm, "helper", CHECK_OK, "/opt/helper");
    end();
}
END_TEST

static int truncate_file(const char *path, off_t size)
{
    scoped(freep) char *there = xformat("%s%s", root, path);

    return truncate(there, size);
}

START_TEST(the_image_must_be_files_with_something_in_them)
{
    static const char *const names[] = {"kernel", "initrd", "cmdline"};

    begin();
    put(HOST_CONF, "[image]\nkernel = \"/image/kernel\"\ninitrd = \"/image/initrd\"\n"
                   "cmdline = \"/image/cmdline\"\n");
    expect(&host_realm, "firmware", CHECK_SILENT, "");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        scoped(freep) char *path = xformat("/image/%s", names[i]);

        expect(&host_realm, names[i], CHECK_FAIL, "is no file");
        put(path, "");
        expect(&host_realm, names[i], CHECK_FAIL, "is empty");
        put(path, "x");
        expect(&host_realm, names[i], CHECK_OK, "1 bytes");
    }
    put(HOST_CONF, "[image]\nfirmware = \"/image\"\n");
    expect(&host_realm, "firmware", CHECK_FAIL, "is no file");
    put(HOST_CONF, "[image]\nfirmware = \"/OVMF_CODE.fd\"\n");
    put("/OVMF_CODE.fd", "half of one");
    expect(&host_realm, "firmware", CHECK_FAIL, "no multiple of 64 KiB");
    ck_assert_int_eq(truncate_file("/OVMF_CODE.fd", 128 * 1024), 0);
    expect(&host_realm, "firmware", CHECK_OK, "131072 bytes");
    expect(&host_realm, "domain", CHECK_SILENT, ""); /* only of this machine */
    end();
}
END_TEST

/* ---- acceleration -----------------------------------------------------------------------------
 */

enum probed { NOT_PROBED, PROBED_ANOTHER, PROBED_IN_VAIN, PROBED_WELL };

/* As the helper's probe would: about this kernel here and that kernel of the guest. */
static void put_record(enum probed probed)
{
    scoped(freep) char *kernel = xformat("%s/image/kernel", root);
    scoped(freep) char *record = NULL;
    struct utsname host;
    struct stat info;

    put("/image/kernel", "x");
    drop(ACCEL);
    if (probed == NOT_PROBED)
        return;
    ck_assert(stat(kernel, &info) == 0 && uname(&host) == 0);
    record = xformat("{\"version\":1,\"kind\":\"accel\",\"about\":\"%s%s /image/kernel 1 %lld\","
                     "\"kvm\":%s}",
                     host.release, probed == PROBED_ANOTHER ? "-old" : "",
                     (long long) info.st_mtime, probed == PROBED_IN_VAIN ? "false" : "true");
    put(ACCEL, record);
}

START_TEST(acceleration_is_what_a_probe_has_proven)
{
    static const struct {
        const char *accel;
        enum probed probed;
        bool device;
        enum check_grade kvm, accel_grade;
        const char *word;
    } rows[] = {
        {"tcg", PROBED_WELL, true, CHECK_SILENT, CHECK_WARN, "TCG"},
        {"auto", NOT_PROBED, true, CHECK_OK, CHECK_WARN, "TCG"},
        {"auto", NOT_PROBED, false, CHECK_WARN, CHECK_WARN, "TCG"},
        {"auto", PROBED_ANOTHER, true, CHECK_OK, CHECK_WARN, "another kernel"},
        {"auto", PROBED_IN_VAIN, true, CHECK_OK, CHECK_WARN, "no kernel booted"},
        {"auto", PROBED_WELL, true, CHECK_OK, CHECK_OK, "KVM"},
        {"auto", PROBED_WELL, false, CHECK_FAIL, CHECK_OK, "KVM"},
        {"kvm", NOT_PROBED, true, CHECK_OK, CHECK_WARN, "nothing has proven"},
        {"kvm", PROBED_IN_VAIN, true, CHECK_OK, CHECK_FAIL, "no kernel booted"},
        {"kvm", PROBED_WELL, true, CHECK_OK, CHECK_OK, "KVM"},
        {"kvm", PROBED_WELL, false, CHECK_FAIL, CHECK_OK, "KVM"},
    };

    begin();
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        scoped(freep) char *conf = xformat(
            "[machine]\naccel = \"%s\"\n[image]\nkernel = \"/image/kernel\"\n", rows[i].accel);

        put(HOST_CONF, conf);
        put_record(rows[i].probed);
        drop("/dev/kvm");
        if (rows[i].device)
            put_device("/dev/kvm");
        expect(&host_realm, "kvm", rows[i].kvm, "");
        expect(&host_realm, "accel", rows[i].accel_grade, rows[i].word);
    }
    end();
}
END_TEST

START_TEST(a_tpm_needs_its_programs_and_is_called_what_it_is)
{
    begin();
    expect(&host_realm, "tpm", CHECK_SILENT, "");
    put(HOST_CONF, "[machine]\ntpm = \"swtpm\"\n[image]\nfirmware = \"/f\"\n");
    expect(&host_realm, "tpm", CHECK_FAIL, "'swtpm'");
    put_program("/usr/bin/swtpm", "#!/bin/sh\n");
    expect(&host_realm, "tpm", CHECK_FAIL, "'swtpm_setup'");
    put_program("/usr/bin/swtpm_setup", "#!/bin/sh\n");
    expect(&host_realm, "tpm", CHECK_WARN, "host-vtpm");
    put(HOST_CONF, "[machine]\ntpm = \"swtpm\"\n");
    expect(&host_realm, "config", CHECK_FAIL, "image.firmware");
    end();
}
END_TEST

START_TEST(a_probe_with_another_firmware_proves_nothing)
{
    begin();
    put(HOST_CONF, "[machine]\naccel = \"auto\"\n[image]\nkernel = \"/image/kernel\"\n");
    put_record(PROBED_WELL);
    expect(&host_realm, "accel", CHECK_OK, "KVM");
    put(HOST_CONF, "[machine]\naccel = \"auto\"\n[image]\nkernel = \"/image/kernel\"\n"
                   "firmware = \"/f\"\n");
    expect(&host_realm, "accel", CHECK_WARN, "another kernel or firmware");
    end();
}
END_TEST

#define SNP_PARAMETER "/sys/module/kvm_amd/parameters/sev_snp"
#define TDX_PARAMETER "/sys/module/kvm_intel/parameters/tdx"

START_TEST(memory_encryption_must_be_there_when_it_is_configured)
{
    begin();
    expect(&host_realm, "launch-security", CHECK_WARN, "evidence proves nothing");
    put(HOST_CONF, "[machine]\naccel = \"kvm\"\nlaunch_security = \"sev-snp\"\n"
                   "[image]\nfirmware = \"/f\"\n");
    expect(&host_realm, "launch-security", CHECK_FAIL, "/dev/sev");
    put_device("/dev/sev");
    expect(&host_realm, "launch-security", CHECK_FAIL, "sev_snp");
    put(SNP_PARAMETER, "N\n");
    expect(&host_realm, "launch-security", CHECK_FAIL, "sev_snp");
    put(SNP_PARAMETER, "Y\n");
    expect(&host_realm, "launch-security", CHECK_OK, "SEV-SNP");
    put(HOST_CONF, "[machine]\naccel = \"auto\"\nlaunch_security = \"sev-snp\"\n"
                   "[image]\nfirmware = \"/f\"\n");
    expect(&host_realm, "launch-security", CHECK_FAIL, "needs KVM");
    put(HOST_CONF, "[machine]\naccel = \"kvm\"\nlaunch_security = \"tdx\"\n"
                   "[image]\nfirmware = \"/f\"\n");
    expect(&host_realm, "launch-security", CHECK_FAIL, "tdx");
    put(TDX_PARAMETER, "1\n");
    expect(&host_realm, "launch-security", CHECK_OK, "TDX");
    end();
}
END_TEST

START_TEST(libvirt_is_asked_at_the_socket_of_its_uri)
{
    static const struct {
        const char *uri, *socket;
        enum check_grade grade;
    } rows[] = {
        {"qemu:///system", "/run/libvirt/libvirt-sock", CHECK_OK},
        {"qemu:///system", "/run/libvirt/virtqemud-sock", CHECK_OK},
        {"qemu:///system", "/run/libvirt/virtchd-sock", CHECK_FAIL},
        {"qemu+unix:///system", "/run/libvirt/virtqemud-sock", CHECK_OK},
        {"ch:///system", "/run/libvirt/virtchd-sock", CHECK_OK},
        {"qemu:///system?socket=/run/other&mode=direct", "/run/other", CHECK_OK},
        {"qemu:///system?socket=/run/other", "/run/libvirt/libvirt-sock", CHECK_FAIL},
        {"qemu+ssh://far/system", "/run/libvirt/libvirt-sock", CHECK_WARN},
        {"qemu+tcp:///system", "/run/libvirt/libvirt-sock", CHECK_WARN},
        {"qemu:///session", "/run/libvirt/libvirt-sock", CHECK_WARN},
        {"qemu:///systematic", "/run/libvirt/libvirt-sock", CHECK_WARN},
        {"qemu:///embed?root=/x", "/run/libvirt/libvirt-sock", CHECK_WARN},
    };

    begin();
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        scoped(freep) char *conf = xformat("[libvirt]\nuri = \"%s\"\n", rows[i].uri);
        int fd = put_listener(rows[i].socket);

        put(HOST_CONF, conf);
        expect(&host_realm, "libvirt", rows[i].grade,
               rows[i].grade == CHECK_OK ? rows[i].socket : rows[i].uri);
        (void) close(fd);
        drop(rows[i].socket);
    }
    end();
}
END_TEST

/* A dead socket says more than one that is not there. */
START_TEST(a_daemon_that_has_died_is_named)
{
    begin();
    (void) close(put_listener("/run/libvirt/virtqemud-sock"));
    expect(&host_realm, "libvirt", CHECK_FAIL, "virtqemud-sock': Connection refused");
    end();
}
END_TEST

START_TEST(guests_must_fit_into_the_machine)
{
    begin();
    put(HOST_CONF, "[machine]\ndefault_memory = \"512MiB\"\nmax_memory = \"2GiB\"\n");
    expect(&host_realm, "memory", CHECK_WARN, "does not say");
    put("/proc/meminfo", "MemTotal:        2097152 kB\nMemFree: 1 kB\n");
    expect(&host_realm, "memory", CHECK_OK, "2048 MiB");
    put("/proc/meminfo", "MemTotal:        2097151 kB\n");
    expect(&host_realm, "memory", CHECK_WARN, "max_memory");
    put("/proc/meminfo", "MemTotal:         524287 kB\n");
    expect(&host_realm, "memory", CHECK_FAIL, "default_memory");
    end();
}
END_TEST

static void put_kernel_file(const char *before, const char *behind, const char *text)
{
    scoped(freep) char *path = NULL;
    struct utsname host;

    ck_assert(uname(&host) == 0);
    path = xformat("%s%s%s", before, host.release, behind);
    if (text)
        put(path, text);
    else
        drop(path);
}

START_TEST(parts_of_the_kernel_are_looked_for_where_it_lists_them)
{
    begin();
    expect(&host_realm, "tun", CHECK_FAIL, "/dev/net/tun");
    put_device("/dev/net/tun");
    expect(&host_realm, "tun", CHECK_OK, "/dev/net/tun");
    expect(&host_realm, "redirects", CHECK_WARN, "nothing says");
    put_kernel_file("/lib/modules/", "/modules.builtin", "kernel/net/sched/sch_ingress.ko\n");
    put_kernel_file("/lib/modules/", "/modules.dep",
                    "kernel/net/sched/act_mirred.ko.xz:\nkernel/net/sched/not_cls_u32.ko:\n");
    expect(&host_realm, "redirects", CHECK_FAIL, "cls_u32");
    put("/sys/module/cls_u32/parameters/none", "");
    expect(&host_realm, "redirects", CHECK_OK, "act_mirred");
    put_kernel_file("/lib/modules/", "", NULL);
    put_kernel_file("/boot/config-", "",
                    "#\nCONFIG_NET_ACT_MIRRED=m\n# CONFIG_NET_SCH_INGRESS is not set\n");
    expect(&host_realm, "redirects", CHECK_FAIL, "sch_ingress");
    end();
}
END_TEST

/* ---- both realms ------------------------------------------------------------------------------
 */

START_TEST(state_needs_directories_that_can_be_made)
{
    begin();
    expect(&host_realm, "directories", CHECK_OK, "/run/cleave");
    put("/run/cleave", "");
    expect(&host_realm, "directories", CHECK_FAIL, "is no directory");
    drop("/run/cleave");
    put("/run/cleave/h/one", "");
    expect(&tenant_realm, "directories", CHECK_OK, "/var/lib/cleave");
    put("/var", "");
    expect(&tenant_realm, "directories", CHECK_FAIL, "/var/lib/cleave");
    end();
}
END_TEST

START_TEST(each_realm_has_its_oldest_containerd)
{
    static const struct {
        const char *says;
        enum check_grade host, tenant;
        const char *word;
    } rows[] = {
        {"echo containerd github.com/containerd/containerd/v2 2.1.9+unknown", CHECK_OK, CHECK_OK,
         "2.1"},
        {"echo containerd containerd.io v2.0.0 0123abc", CHECK_OK, CHECK_OK, "2.0"},
        {"echo containerd github.com/containerd/containerd 1.7.20 0123abc", CHECK_FAIL, CHECK_OK,
         "1.7"},
        {"echo containerd github.com/containerd/containerd 1.6.20~ds1 x", CHECK_FAIL, CHECK_FAIL,
         "1.6"},
        {"echo containerd github.com/containerd/containerd 10.0.1 x", CHECK_OK, CHECK_OK, "10.0"},
        {"echo something else", CHECK_WARN, CHECK_WARN, "names none"},
        {"echo what >&2; exit 3", CHECK_WARN, CHECK_WARN, "what"},
    };

    begin();
    expect(&host_realm, "containerd", CHECK_WARN, "not in PATH");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        scoped(freep) char *script = xformat("#!/bin/sh\n%s\n", rows[i].says);

        put_program("/usr/bin/containerd", script);
        expect(&host_realm, "containerd", rows[i].host, rows[i].word);
        expect(&tenant_realm, "containerd", rows[i].tenant, rows[i].word);
    }
    end();
}
END_TEST

START_TEST(the_hosts_runtime_has_no_options_and_the_right_sandboxer)
{
    begin();
    expect(&host_realm, "containerd-config", CHECK_FAIL, "config.toml");
    expect(&host_realm, "runtime", CHECK_SILENT, "");
    put(CONTAINERD, "version = 3\nwhat\n" RUNTIMES "runc]\nruntime_type = 'io.containerd.runc.v2'");
    expect(&host_realm, "containerd-config", CHECK_WARN, "config.toml: line 2");
    expect(&host_realm, "runtime", CHECK_FAIL, "cleave-host");
    expect(&host_realm, "sandboxer", CHECK_SILENT, "");
    put(CONTAINERD, "version = 3\n[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.old]\n"
                    "runtime_type = 'io.containerd.cleave-host.v2'\n");
    expect(&host_realm, "runtime", CHECK_FAIL, "ignores handler 'old'");
    put(CONTAINERD,
        RUNTIMES "big]\nruntime_type = 'io.containerd.cleave-host.v2'\n" RUNTIMES "big.options]\n");
    expect(&host_realm, "runtime", CHECK_OK, "'big'");
    expect(&host_realm, "sandboxer", CHECK_FAIL, "podsandbox");
    expect(&host_realm, "options", CHECK_FAIL, "options table");
    put(CONTAINERD, RUNTIMES "big]\nruntime_type = 'io.containerd.cleave-host.v2'\n"
                             "sandboxer = 'shim'\n");
    expect(&host_realm, "sandboxer", CHECK_OK, "shim");
    expect(&host_realm, "options", CHECK_OK, "none");
    end();
}
END_TEST

START_TEST(the_shim_is_found_as_containerd_would)
{
    static const struct {
        const char *type, *program;
        enum check_grade grade;
    } rows[] = {
        {"io.containerd.cleave-host.v2", "/usr/bin/containerd-shim-cleave-host-v2", CHECK_OK},
        {"io.containerd.cleave-host.v2", "/opt/containerd-shim-cleave-host-v2", CHECK_FAIL},
        {"io.containerd.cleave-host.v1", "/usr/bin/containerd-shim-cleave-host-v2", CHECK_FAIL},
        {"/opt/containerd-shim-cleave-host-v2", "/opt/containerd-shim-cleave-host-v2", CHECK_OK},
        {"/opt/containerd-shim-cleave-host-v2", "/usr/bin/containerd-shim-cleave-host-v2",
         CHECK_FAIL},
        {"/opt/cleave-host-helper", "/opt/cleave-host-helper", CHECK_WARN},
        {"bin/containerd-shim-cleave-host-v2", "/usr/bin/containerd-shim-cleave-host-v2",
         CHECK_FAIL},
        {"cleave-host", "/usr/bin/containerd-shim-cleave-host-v2", CHECK_FAIL},
    };

    begin();
    put_program("/containerd-shim-cleave-host-v2", "");
    ck_assert(setenv("PATH", ":/usr/bin", 1) == 0); /* a relative directory is nobody's place */
    expect(&host_realm, "shim", CHECK_FAIL, "in PATH");
    put_program("/usr/bin/containerd-shim-cleave-host-v2", "");
    expect(&host_realm, "shim", CHECK_OK, "/usr/bin/containerd-shim-cleave-host-v2");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        scoped(freep) char *conf = xformat(RUNTIMES "cleave-host]\nruntime_type = \"%s\"\n",
                                           rows[i].type);

        drop("/usr");
        drop("/opt");
        put_program(rows[i].program, "");
        put(CONTAINERD, conf);
        expect(&host_realm, "shim", rows[i].grade, "");
    }
    end();
}
END_TEST

/* ---- tenant -----------------------------------------------------------------------------------
 */

START_TEST(evidence_must_be_verifiable_and_allowed)
{
    begin();
    put(TENANT_CONF, "evidence = \"cca\"\n");
    expect(&tenant_realm, "evidence", CHECK_FAIL,
           "cannot verify 'cca', only: snp, tdx, tpm, sample");
    put(TENANT_CONF, "evidence = \"sample\"\n");
    expect(&tenant_realm, "evidence", CHECK_FAIL, "not allowed");
    put(TENANT_CONF, "evidence = \"sample\"\nallow_insecure_evidence = [\"other\"]\n");
    expect(&tenant_realm, "evidence", CHECK_FAIL, "not allowed");
    put(TENANT_CONF, "evidence = \"sample\"\nallow_insecure_evidence = [\"other\", \"sample\"]\n");
    expect(&tenant_realm, "evidence", CHECK_WARN, "INSECURE");
    end();
}
END_TEST

START_TEST(the_provisioner_is_found_beside_the_shim_before_path)
{
    begin();
    expect(&tenant_realm, "provisioner", CHECK_FAIL, "cleave-provision-cri");
    put_program("/usr/bin/cleave-provision-cri", "");
    expect(&tenant_realm, "provisioner", CHECK_OK, "/usr/bin/cleave-provision-cri");
    put(CONTAINERD, RUNTIMES "cleave-tenant]\nruntime_type = '/opt/containerd-shim-cleave-tenant-"
                             "v2'\n");
    put_program("/opt/containerd-shim-cleave-tenant-v2", "");
    put_program("/opt/cleave-provision-cri", "");
    expect(&tenant_realm, "provisioner", CHECK_OK, "/opt/cleave-provision-cri");
    put(TENANT_CONF, "provisioner = \"/opt/own\"\n");
    expect(&tenant_realm, "provisioner", CHECK_FAIL, "/opt/own");
    expect(&tenant_realm, "host-api", CHECK_SILENT, "");
    put_program("/opt/own", "");
    expect(&tenant_realm, "provisioner", CHECK_OK, "/opt/own");
    put(TENANT_CONF, "provisioner = \"../own\"\n");
    expect(&tenant_realm, "provisioner", CHECK_FAIL, "neither a name");
    end();
}
END_TEST

START_TEST(live_shares_need_their_server)
{
    begin();
    expect(&tenant_realm, "shares", CHECK_FAIL, "no program 'cleave-share'");
    put_program("/usr/bin/cleave-share", "#!/bin/sh\n[ $1 = check ]\n");
    expect(&tenant_realm, "shares", CHECK_OK, "/usr/bin/cleave-share");
    put_program("/usr/bin/cleave-share",
                "#!/bin/sh\necho '{\"message\":\"no such call\"}'; false\n");
    if (geteuid() == 0)
        expect(&tenant_realm, "shares", CHECK_FAIL, "cannot be created: no such call");
    put(TENANT_CONF, "live_shares = false\n");
    expect(&tenant_realm, "shares", CHECK_OK, "are refused");
    end();
}
END_TEST

START_TEST(a_provisioner_needs_its_own_things)
{
    int fd;

    begin();
    expect(&tenant_realm, "static", CHECK_SILENT, "");
    expect(&tenant_realm, "host-api", CHECK_FAIL, "host-containerd.sock");
    put(TENANT_CONF, "provisioner = \"/x/cleave-provision-cri\"\n[cri]\nendpoint = \"/run/c\"\n");
    expect(&tenant_realm, "host-api", CHECK_FAIL, "/run/c");
    fd = put_listener("/run/c");
    expect(&tenant_realm, "host-api", CHECK_OK, "/run/c");
    (void) close(fd);
    expect(&tenant_realm, "host-api", CHECK_FAIL, "refused");
    put(TENANT_CONF, "provisioner = \"static\"\n[static]\ndirectory = \"/keys\"\n");
    expect(&tenant_realm, "host-api", CHECK_SILENT, "");
    expect(&tenant_realm, "static", CHECK_FAIL, "/keys");
    put("/keys/one", "");
    expect(&tenant_realm, "static", CHECK_OK, "/keys");
    end();
}
END_TEST

static void put_tenant_runtime(const char *keys)
{
    scoped(freep) char *conf = xformat(
        "version = 3\n" RUNTIMES
        "cleave-tenant]\nruntime_type = 'io.containerd.cleave-tenant.v2'\n%s",
        keys);

    put(CONTAINERD, conf);
}

START_TEST(what_containerd_must_let_through_is_looked_at)
{
    begin();
    put_tenant_runtime("");
    expect(&tenant_realm, "sandboxer", CHECK_OK, "podsandbox");
    expect(&tenant_realm, "devices", CHECK_WARN, "device nodes");
    expect(&tenant_realm, "pod-annotations", CHECK_WARN, "cleave.dev");
    expect(&tenant_realm, "container-annotations", CHECK_WARN, "termination");
    expect(&tenant_realm, "content", CHECK_OK, "kept");
    put(TENANT_CONF, "provisioner = \"static\"\n");
    expect(&tenant_realm, "pod-annotations", CHECK_FAIL, "static");
    put_tenant_runtime("sandboxer = 'remote'\nprivileged_without_host_devices = false\n"
                       "pod_annotations = ['cleave.dev', '*']\n"
                       "container_annotations = ['io.kubernetes.pod.*']\n"
                       "[plugins.'io.containerd.cri.v1.images']\ndiscard_unpacked_layers = true\n");
    expect(&tenant_realm, "sandboxer", CHECK_FAIL, "'remote'");
    expect(&tenant_realm, "devices", CHECK_WARN, "device nodes");
    expect(&tenant_realm, "pod-annotations", CHECK_OK, "Sandbox API");
    expect(&tenant_realm, "container-annotations", CHECK_WARN, "termination");
    expect(&tenant_realm, "content", CHECK_WARN, "discard_unpacked_layers");
    put_tenant_runtime("pod_annotations = ['cleave.dev', '*']\n");
    expect(&tenant_realm, "pod-annotations", CHECK_FAIL, "static");
    put_tenant_runtime("pod_annotations = ['cleave.dev/endpoint']\n");
    expect(&tenant_realm, "pod-annotations", CHECK_WARN, "cleave.dev/manifest does not reach");
    put_tenant_runtime("sandboxer = 'shim'\n");
    expect(&tenant_realm, "sandboxer", CHECK_OK, "shim");
    put_tenant_runtime("sandboxer = 'shim'\noptions = {}\n");
    expect(&tenant_realm, "sandboxer", CHECK_FAIL, "options table");
    put_tenant_runtime("privileged_without_host_devices = true\n"
                       "pod_annotations = ['x', 'cleave.dev/*']\n"
                       "container_annotations = ['io.kubernetes.container.*']\n");
    expect(&tenant_realm, "devices", CHECK_OK, "none");
    expect(&tenant_realm, "pod-annotations", CHECK_OK, "cleave.dev");
    expect(&tenant_realm, "container-annotations", CHECK_OK, "terminationMessagePath");
    end();
}
END_TEST

START_TEST(crictl_must_wait_long_enough)
{
    static const struct {
        const char *text;
        enum check_grade grade;
    } rows[] = {
        {"timeout: 240\n", CHECK_OK},   {"debug: false\ntimeout: 60 # seconds\n", CHECK_OK},
        {"timeout: 59\n", CHECK_WARN},  {"pull-timeout: 240\n", CHECK_WARN},
        {"debug: false\n", CHECK_WARN}, {"", CHECK_WARN},
    };

    begin();
    expect(&tenant_realm, "crictl", CHECK_SILENT, "");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        put("/etc/crictl.yaml", rows[i].text);
        expect(&tenant_realm, "crictl", rows[i].grade, "");
    }
    end();
}
END_TEST

int main(void)
{
    return suite_run("cli_check",
                     (const TTest *[]){the_way_to_the_guest_must_be_there,
                                       a_configuration_is_right_absent_or_wrong_in_a_line,
                                       the_helper_must_be_a_program,
                                       the_image_must_be_files_with_something_in_them,
                                       a_tpm_needs_its_programs_and_is_called_what_it_is,
                                       a_probe_with_another_firmware_proves_nothing,
                                       acceleration_is_what_a_probe_has_proven,
                                       memory_encryption_must_be_there_when_it_is_configured,
                                       libvirt_is_asked_at_the_socket_of_its_uri,
                                       a_daemon_that_has_died_is_named,
                                       guests_must_fit_into_the_machine,
                                       parts_of_the_kernel_are_looked_for_where_it_lists_them,
                                       state_needs_directories_that_can_be_made,
                                       each_realm_has_its_oldest_containerd,
                                       the_hosts_runtime_has_no_options_and_the_right_sandboxer,
                                       the_shim_is_found_as_containerd_would,
                                       evidence_must_be_verifiable_and_allowed,
                                       the_provisioner_is_found_beside_the_shim_before_path,
                                       live_shares_need_their_server,
                                       a_provisioner_needs_its_own_things,
                                       what_containerd_must_let_through_is_looked_at,
                                       crictl_must_wait_long_enough,
                                       NULL});
}
