/* SPDX-License-Identifier: Apache-2.0 */
/* Both kernels' files, in a tree of our own where the kernel's would be: a mount namespace. */
#include "suite.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "cgroup.h"

#define ROOT "/sys/fs/cgroup"

static void put(const char *path, const char *text)
{
    scoped(freep) char *directory = xstrdup(path);
    struct error err;

    *strrchr(directory, '/') = '\0';
    ck_assert_msg(file_make_directories(directory, 0755, &err) == 0, "%s", err.message);
    ck_assert_msg(file_write_atomic(path, text, strlen(text), 0644, &err) == 0, "%s", err.message);
}

static void expect_text(const char *path, const char *wanted)
{
    scoped(freep) char *text = NULL;
    struct error err;
    size_t length;

    ck_assert_msg(file_read(path, 4096, &text, &length, &err) == 0, "%s", err.message);
    ck_assert_str_eq(text, wanted);
}

START_TEST(version_1_is_read)
{
    struct cgroup_stats stats;
    struct error err;

    put(ROOT "/cpuacct/cleave/one/cpuacct.stat", "user 12\nsystem 3\n");
    put(ROOT "/cpuacct/cleave/one/cpuacct.usage", "150000000\n");
    put(ROOT "/memory/cleave/one/memory.stat",
        "rss 1\ntotal_rss 4096\ntotal_inactive_file 77\ntotal_pgfault 9\ntotal_pgmajfault 2\n");
    put(ROOT "/memory/cleave/one/memory.usage_in_bytes", "8192\n");
    put(ROOT "/memory/cleave/one/memory.limit_in_bytes", "9223372036854771712\n");
    put(ROOT "/memory/cleave/one/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    put(ROOT "/pids/cleave/one/pids.current", "5\n");
    put(ROOT "/pids/cleave/one/pids.max", "max\n");
    ck_assert_int_eq(cgroup_v1.stats("/cleave/one", &stats, &err), 0);
    ck_assert_uint_eq(stats.cpu_usage_ns, 150000000);
    ck_assert_uint_eq(stats.cpu_user_ns, 12 * (1000000000ull / (uint64_t) sysconf(_SC_CLK_TCK)));
    ck_assert_uint_eq(stats.memory_anon, 4096);
    ck_assert_uint_eq(stats.memory_inactive_file, 77);
    ck_assert_uint_eq(stats.memory_usage, 8192);
    ck_assert_uint_eq(stats.memory_limit, UINT64_MAX);
    ck_assert_uint_eq(stats.page_faults, 9);
    ck_assert_uint_eq(stats.major_page_faults, 2);
    ck_assert_uint_eq(stats.pids_current, 5);
    ck_assert_uint_eq(stats.pids_limit, 0);
    ck_assert_uint_eq(cgroup_v1.oom_kills("/cleave/one"), 3);
    put(ROOT "/memory/cleave/one/memory.limit_in_bytes", "1048576\n");
    ck_assert_int_eq(cgroup_v1.stats("/cleave/one", &stats, &err), 0);
    ck_assert_uint_eq(stats.memory_limit, 1048576);
    put(ROOT "/freezer/cleave/one/freezer.state", "FROZEN");
    cgroup_v1.thaw("/cleave/one");
    expect_text(ROOT "/freezer/cleave/one/freezer.state", "THAWED");
}
END_TEST

START_TEST(version_2_is_read)
{
    struct cgroup_stats stats;
    struct error err;

    put(ROOT "/cleave/one/cpu.stat", "usage_usec 150\nuser_usec 100\nsystem_usec 50\n");
    put(ROOT "/cleave/one/memory.stat",
        "anon 4096\nfile 5\ninactive_file 77\npgfault 9\npgmajfault 2\n");
    put(ROOT "/cleave/one/memory.current", "8192\n");
    put(ROOT "/cleave/one/memory.max", "max\n");
    put(ROOT "/cleave/one/memory.events", "low 0\noom 4\noom_kill 3\n");
    put(ROOT "/cleave/one/pids.current", "5\n");
    put(ROOT "/cleave/one/pids.max", "100\n");
    ck_assert_int_eq(cgroup_v2.stats("/cleave/one", &stats, &err), 0);
    ck_assert_uint_eq(stats.cpu_usage_ns, 150000);
    ck_assert_uint_eq(stats.cpu_user_ns, 100000);
    ck_assert_uint_eq(stats.cpu_system_ns, 50000);
    ck_assert_uint_eq(stats.memory_anon, 4096);
    ck_assert_uint_eq(stats.memory_usage, 8192);
    ck_assert_uint_eq(stats.memory_limit, UINT64_MAX);
    ck_assert_uint_eq(stats.pids_limit, 100);
    ck_assert_uint_eq(cgroup_v2.oom_kills("/cleave/one"), 3);
}
END_TEST

START_TEST(what_is_absent_or_no_number_is_nothing)
{
    struct cgroup_stats stats;
    struct error err;

    put(ROOT "/cleave/two/memory.current", "12x\n");
    put(ROOT "/cleave/two/memory.stat", "anon\nanon -1\n\n anon 5\nanon 99999999999999999999\n");
    ck_assert_int_eq(cgroup_v2.stats("/cleave/two", &stats, &err), 0);
    ck_assert_uint_eq(stats.memory_usage, 0);
    ck_assert_uint_eq(stats.memory_anon, 0);
    ck_assert_uint_eq(cgroup_v2.oom_kills("/cleave/two"), 0);
    ck_assert_int_eq(cgroup_v1.stats("/cleave/two", &stats, &err), 0);
    ck_assert_uint_eq(stats.memory_limit, UINT64_MAX);
}
END_TEST

START_TEST(process_ids_are_those_that_are_numbers)
{
    scoped(freep) pid_t *pids = NULL;
    struct error err;
    size_t count;

    put(ROOT "/cleave/one/cgroup.procs", "17\n0\n-4\nx\n99999999999\n4\n");
    ck_assert_int_eq(cgroup_pids(&cgroup_v2, "/cleave/one", &pids, &count, &err), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(pids[0], 17);
    ck_assert_int_eq(pids[1], 4);
    free(take_ptr(pids));
    ck_assert_int_eq(cgroup_pids(&cgroup_v1, "/cleave/none", &pids, &count, &err), 0);
    ck_assert_uint_eq(count, 0);
}
END_TEST

static int signal_of(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static pid_t sleeper(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void) pause();
        _exit(0);
    }
    return pid;
}

START_TEST(a_signal_goes_to_all_but_one)
{
    pid_t one = sleeper(), two = sleeper();
    scoped(freep) char *list = xformat("%d\n%d\n", (int) one, (int) two);

    put(ROOT "/cleave/one/cgroup.procs", list);
    cgroup_signal(&cgroup_v2, "/cleave/one",
                  &(struct cgroup_signal){.signum = SIGUSR1, .except = one});
    ck_assert_int_eq(signal_of(two), SIGUSR1);
    ck_assert_int_eq(kill(one, 0), 0);
    cgroup_signal(&cgroup_v2, "/cleave/one", &(struct cgroup_signal){.signum = SIGKILL});
    ck_assert_int_eq(signal_of(one), SIGKILL); /* there is no cgroup.kill: one by one */
}
END_TEST

START_TEST(version_2_kills_in_one_go)
{
    pid_t one = sleeper();
    scoped(freep) char *list = xformat("%d\n", (int) one);

    put(ROOT "/cleave/one/cgroup.procs", list);
    put(ROOT "/cleave/one/cgroup.kill", "-");
    cgroup_signal(&cgroup_v2, "/cleave/one", &(struct cgroup_signal){.signum = SIGKILL});
    expect_text(ROOT "/cleave/one/cgroup.kill", "1");
    ck_assert_int_eq(kill(one, 0), 0);
    (void) kill(one, SIGUSR1);
    ck_assert_int_eq(signal_of(one), SIGUSR1);
}
END_TEST

START_TEST(the_limit_is_what_is_held_and_more)
{
    struct error err;

    put(ROOT "/cgroup.subtree_control", "-------");
    put(ROOT "/cleave/memory.max", "-----");
    put(ROOT "/cleave/memory.stat",
        "anon 1000\nfile 5000\nshmem 2000\nkernel_stack 300\npagetables 40\n"
        "slab_reclaimable 9000\nslab_unreclaimable 5\n");
    ck_assert_msg(cgroup_v2.limit("/cleave", 10000, &err) == 0, "%s", err.message);
    expect_text(ROOT "/cgroup.subtree_control", "+memory");
    expect_text(ROOT "/cleave/memory.max", "13345");
    ck_assert_ptr_null(cgroup_v1.limit);
}
END_TEST

int main(void)
{
    if (unshare(CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("fake", ROOT, "tmpfs", 0, NULL) < 0) {
        perror("a tree of our own");
        return EXIT_FAILURE;
    }
    return suite_run("cgroup", (const TTest *[]){
                                   version_1_is_read,
                                   version_2_is_read,
                                   what_is_absent_or_no_number_is_nothing,
                                   process_ids_are_those_that_are_numbers,
                                   a_signal_goes_to_all_but_one,
                                   version_2_kills_in_one_go,
                                   the_limit_is_what_is_held_and_more,
                                   NULL,
                               });
}
