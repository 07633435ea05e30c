/* SPDX-License-Identifier: Apache-2.0 */
/* What cleave-exec makes of an OCI Process, compared with what `crun exec` makes of the same one in
 * the same container, line by line. Differences are failures but for those of the table below. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "exec_bed.h"
#include "io/fd.h"

enum { DUMP_MAX = 256 * 1024, LINES_MAX = 1024 };

#define ALL_CAPS                                                                                   \
    "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FOWNER\",\"CAP_KILL\",\"CAP_SETGID\","              \
    "\"CAP_SETUID\",\"CAP_SETPCAP\",\"CAP_NET_BIND_SERVICE\",\"CAP_NET_RAW\",\"CAP_SYS_CHROOT\","  \
    "\"CAP_SETFCAP\",\"CAP_CHECKPOINT_RESTORE\"]"
#define CAPS(set)                                                                                  \
    "\"capabilities\":{\"bounding\":" set ",\"effective\":" set ",\"permitted\":" set "}"
#define FIVE(set)                                                                                  \
    "\"capabilities\":{\"bounding\":" set ",\"effective\":" set ",\"permitted\":" set              \
    ",\"inheritable\":" set ",\"ambient\":" set "}"
#define FEW_CAPS                                                                                   \
    "\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_NET_RAW\",\"CAP_KILL\"],"                 \
    "\"effective\":[\"CAP_NET_RAW\"],\"permitted\":[\"CAP_NET_RAW\",\"CAP_KILL\"],"                \
    "\"inheritable\":[\"CAP_NET_RAW\"],\"ambient\":[\"CAP_NET_RAW\"]}"
#define ENV   "\"env\":[\"PATH=/no:/bin\",\"HOME=/tmp\",\"A=1\"]"
#define PROBE "\"args\":[\"/bin/probe\",\"/tmp/dump\"]"
#define USER  "\"user\":{\"uid\":1000,\"gid\":1001,\"additionalGids\":[10,20,4242]}"
#define ROOT  "\"user\":{\"uid\":0,\"gid\":0}"
#define NNP   "\"noNewPrivileges\":true"

/* A difference that is meant: crun's line begins with one, ours with the other. NULL: no line. */
struct difference {
    const char *crun, *ours;
};

/* crun leaves an exec in the session of a process that is gone; runc, and we, make it a leader, so
 * that it has a group that can be signalled. */
#define SESSION                                                                                    \
    {"session: leader 0", "session: leader 1"},                                                    \
    {                                                                                              \
        "group: leader 0", "group: leader 1"                                                       \
    }

/* crun sets the size while the program starts, we before. */
#define SIZE                                                                                       \
    {                                                                                              \
        "tty size: 0 0", "tty size: 91 17"                                                         \
    }

struct example {
    const char *name;
    const char *container;
    const char *members; /* of the Process */
    bool terminal;
    struct difference differences[4];
};

/* clang-format off */
static const struct example examples[] = {
    {"root, all capabilities", "plain",
     PROBE "," ENV "," ROOT "," CAPS(ALL_CAPS) "," NNP ",\"cwd\":\"/\"", false, {SESSION}},
    {"root, all five sets, privileges may grow", "plain",
     PROBE "," ENV "," ROOT "," FIVE(ALL_CAPS) ",\"cwd\":\"/\"", false, {SESSION}},
    {"root, no capabilities", "plain",
     PROBE "," ENV "," ROOT "," CAPS("[]") "," NNP ",\"cwd\":\"/\"", false, {SESSION}},
    {"the container's capabilities and environment", "plain",
     PROBE "," ROOT ",\"cwd\":\"/\"", false, {SESSION}},
    {"a user with groups and an ambient capability", "plain",
     PROBE "," ENV "," USER "," FEW_CAPS "," NNP ",\"cwd\":\"/\"", false, {SESSION}},
    {"a user, privileges may grow", "plain",
     PROBE "," ENV "," USER "," FEW_CAPS ",\"cwd\":\"/\"", false, {SESSION}},
    {"a user without capabilities, with a umask", "plain",
     PROBE "," ENV ",\"user\":{\"uid\":1000,\"gid\":0,\"umask\":63}," CAPS("[]") ",\"cwd\":\"/\"",
     false, {SESSION}},
    {"HOME of the user", "plain",
     PROBE "," USER ",\"env\":[\"PATH=/bin\"],\"cwd\":\"/\"", false, {SESSION}},
    {"HOME of root", "plain",
     PROBE "," ROOT ",\"env\":[\"PATH=/bin\"],\"cwd\":\"/\"", false, {SESSION}},
    /* crun leaves it out; runc, and we, say "/" */
    {"HOME of a user whom /etc/passwd does not know", "plain",
     PROBE ",\"user\":{\"uid\":4321,\"gid\":0},\"env\":[\"PATH=/bin\"],\"cwd\":\"/\"", false,
     {SESSION, {NULL, "environ: HOME=/"}}},
    {"variables twice, without a value, empty", "plain",
     PROBE "," ROOT ",\"env\":[\"A=1\",\"B=2\",\"A=3\",\"B\",\"C=\",\"HOME=\",\"B=4\",\"C\",\"D\"],"
     "\"cwd\":\"/\"", false, {SESSION}},
    {"a program that is searched, another directory", "plain",
     "\"args\":[\"probe\",\"/tmp/dump\",\"\",\"a b\"]," ENV "," ROOT ",\"cwd\":\"/tmp\"", false,
     {SESSION}},
    {"a program relative to the directory", "plain",
     "\"args\":[\"./../bin/probe\",\"/tmp/dump\"]," ENV "," USER ",\"cwd\":\"/tmp\"", false,
     {SESSION}},
    {"limits", "plain",
     PROBE "," ENV "," ROOT ",\"cwd\":\"/\",\"rlimits\":["
     "{\"type\":\"RLIMIT_NOFILE\",\"soft\":100,\"hard\":200},"
     "{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":0},"
     "{\"type\":\"RLIMIT_AS\",\"soft\":1000000000,\"hard\":18446744073709551615},"
     "{\"type\":\"RLIMIT_NPROC\",\"soft\":1000,\"hard\":1000}]", false, {SESSION}},
    /* crun sets it for a container's first process only; runc, and we, for every one */
    {"OOM score", "plain",
     PROBE "," ENV "," ROOT ",\"cwd\":\"/\",\"oomScoreAdj\":777", false,
     {SESSION, {"oom_score_adj: ", "oom_score_adj: 777"}}},
    {"a terminal", "plain",
     PROBE "," ENV "," ROOT ",\"cwd\":\"/\"", true, {SIZE}},
    /* crun gives the terminal to the container's user, we to the process's */
    {"a terminal of a user", "plain",
     PROBE "," ENV "," USER ",\"cwd\":\"/\"", true,
     {SIZE, {"fd owner: 0 0:", "fd owner: 0 1000:"}, {"fd owner: 1 0:", "fd owner: 1 1000:"},
      {"fd owner: 2 0:", "fd owner: 2 1000:"}}},
    {"a filter", "filtered",
     PROBE "," ENV "," ROOT "," CAPS(ALL_CAPS) "," NNP ",\"cwd\":\"/\"", false, {SESSION}},
    {"a filter, privileges may grow", "filtered",
     PROBE "," ENV "," USER "," CAPS(ALL_CAPS) ",\"cwd\":\"/\"", false, {SESSION}},
    {"a PID namespace of the pod", "shared",
     PROBE "," ENV "," USER "," FEW_CAPS ",\"cwd\":\"/\"", false, {SESSION}},
    {"a PID namespace of a debug target", "debug",
     PROBE "," ENV "," ROOT "," CAPS("[]") "," NNP ",\"cwd\":\"/\"", true, {SIZE}},
};

static const struct {
    const char *id, *members; /* of `linux` */
} containers[] = {
    {"plain", "\"resources\":{\"memory\":{\"limit\":67108864}}"},
    {"filtered",
     "\"personality\":{\"domain\":\"LINUX32\"},"
     "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\"],"
     "\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],\"syscalls\":["
     "{\"names\":[\"getcpu\"],\"action\":\"SCMP_ACT_ERRNO\"},"
     "{\"names\":[\"sysinfo\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}"},
    {"shared", "\"namespaces\":[{\"type\":\"pid\",\"path\":\"cleave:pod\"}]"},
    {"debug", "\"namespaces\":[{\"type\":\"pid\",\"path\":\"cleave:container:plain\"}]"},
};
/* clang-format on */

/* ---- crun, by hand ---- */

/* Its own exit code; the process that it starts is the agent's orphan. */
static int run_crun(const struct exec_bed *guest, const char *id, const char *socket)
{
    scoped(freep) char *command = xformat(
        "true | nsenter -t %d -m -u -i -n -p -C /usr/bin/crun --cgroup-manager=cgroupfs --root "
        "/run/cleave/runtime/state exec --detach --process /run/cleave/process.json "
        "--pid-file /run/cleave/crun.pid %s %s %s 2>&1 | cat",
        (int) guest->agent, socket ? "--console-socket" : "", socket ? socket : "", id);

    return system(command);
}

/* Nobody takes the terminal from the listener, in which it lives as long as that. */
static int exec_by_crun(struct exec_bed *guest, const struct example *example, const char *process)
{
    scoped(freep) char *file = exec_bed_path(guest, "/run/cleave/process.json");
    scoped(freep) char *socket = exec_bed_path(guest, "/run/cleave/crun.sock");
    scoped(closep) int listener = -1;
    struct error err;

    if (file_write_atomic(file, process, strlen(process), 0600, &err) < 0 ||
        (example->terminal && fd_listen_unix(socket, &listener, &err) < 0))
        bed_die("%s", err.message);
    EXPECT(run_crun(guest, example->container,
                    example->terminal ? "/run/cleave/crun.sock" : NULL) == 0,
           "%s", example->name);
    (void) unlink(socket);
    return take_fd(listener);
}

/* ---- comparing ---- */

/* What the probe wrote, once it is whole; it is removed. */
static char *take_dump(struct exec_bed *guest, const struct example *example, const char *who)
{
    const char *id = example->container;
    scoped(freep) char *inside = xformat("/run/cleave/containers/%s/rootfs/tmp/dump", id);
    scoped(freep) char *path = exec_bed_path(guest, inside);
    uint64_t start = clock_monotonic_ms();
    struct error err;
    size_t length;
    char *text;

    while (!file_exists(path)) {
        if (clock_monotonic_ms() - start > BED_WAIT_MS)
            bed_die("%s: no dump by %s", example->name, who);
        bed_turn(&guest->bed, 5);
    }
    if (file_read(path, DUMP_MAX, &text, &length, &err) < 0)
        bed_die("%s", err.message);
    (void) unlink(path);
    return text;
}

struct lines {
    char *line[LINES_MAX];
    size_t count;
};

static struct lines split(char *text)
{
    struct lines lines = {.count = 0};
    char *position = NULL;

    for (char *line = strtok_r(text, "\n", &position); line && lines.count < LINES_MAX;
         line = strtok_r(NULL, "\n", &position))
        lines.line[lines.count++] = line;
    return lines;
}

static bool is_meant(const struct example *example, const char *crun, const char *ours)
{
    for (size_t i = 0; i < ARRAY_LENGTH(example->differences); i++) {
        const struct difference *difference = &example->differences[i];

        if ((crun || ours) && (difference->crun || difference->ours) &&
            !crun == !difference->crun && !ours == !difference->ours &&
            (!crun || text_starts(crun, difference->crun)) &&
            (!ours || text_starts(ours, difference->ours)))
            return true;
    }
    return false;
}

static unsigned compare(const struct example *example, char *crun_text, char *our_text)
{
    struct lines crun = split(crun_text), ours = split(our_text);
    unsigned bad = 0;
    size_t c = 0, o = 0;

    while (c < crun.count || o < ours.count) {
        const char *theirs = c < crun.count ? crun.line[c] : NULL;
        const char *mine = o < ours.count ? ours.line[o] : NULL;

        if (theirs && mine && (text_equal(theirs, mine) || is_meant(example, theirs, mine))) {
            c++;
            o++;
        } else if (mine && is_meant(example, NULL, mine)) {
            o++;
        } else {
            (void) fprintf(stderr, "%s:\n  crun: %s\n  ours: %s\n", example->name,
                           theirs ? theirs : "-", mine ? mine : "-");
            bad++;
            c++;
            o++;
        }
    }
    return bad;
}

static unsigned run_example(struct exec_bed *guest, const struct example *example)
{
    scoped(freep) char *plain = xformat("{%s}", example->members);
    scoped(freep) char *for_crun = xformat(
        "{%s,\"terminal\":%s,\"consoleSize\":{\"width\":91,\"height\":17}}", example->members,
        example->terminal ? "true" : "false");
    scoped(freep) char *crun_dump = NULL;
    scoped(freep) char *our_dump = NULL;
    char sentence[512] = "";
    char exec_id[16];
    enum status status;
    scoped(closep) int terminal = exec_by_crun(guest, example, for_crun);

    crun_dump = take_dump(guest, example, "crun");
    (void) snprintf(exec_id, sizeof(exec_id), "x%u", guest->serial++);
    status = exec_bed_exec(guest,
                           &(struct exec_bed_process){.container = example->container,
                                                      .id = exec_id,
                                                      .json = plain,
                                                      .terminal = example->terminal},
                           sentence);
    EXPECT(status == STATUS_OK, "%s: %s", example->name, sentence);
    our_dump = take_dump(guest, example, "cleave-exec");
    EXPECT(!text_equal(example->container, "filtered") ||
               (strstr(our_dump, "getcpu: 1\nsysinfo: 38\n") && strstr(our_dump, "Seccomp:\t2")),
           "%s: no filter", example->name);
    EXPECT(exec_bed_end(guest, example->container, exec_id) == 0, "%s", example->name);
    return compare(example, crun_dump, our_dump);
}

static void compare_all(struct exec_bed *guest)
{
    unsigned bad = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(examples); i++)
        bad += run_example(guest, &examples[i]);
    EXPECT(bad == 0, "%u differences", bad);
    exec_bed_step(guest, "what crun exec makes is what cleave-exec makes");
}

int main(void)
{
    struct exec_bed guest;

    exec_bed_open(&guest);
    for (size_t i = 0; i < ARRAY_LENGTH(containers); i++)
        exec_bed_run(&guest, containers[i].id, containers[i].members);
    exec_bed_step(&guest, "containers run");
    compare_all(&guest);
    return exec_bed_close(&guest);
}
