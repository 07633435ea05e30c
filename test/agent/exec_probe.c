/* SPDX-License-Identifier: Apache-2.0 */
/* Runs in a container and writes down what it is: "exec_probe FILE". What two runs of the same
 * process cannot have in common (ids of processes, times, sizes) is left out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* Of an open() in 64 bits; an open through another file lacks it, and nobody can tell by it. */
enum { LARGE_FILE = 0100000 };

enum { TEXT_MAX = 64 * 1024, GROUPS_MAX = 64, FDS_MAX = 64 };

static FILE *out;

static size_t read_text(const char *path, char *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0, length = 0;

    while (fd >= 0 && length < TEXT_MAX - 1 &&
           (n = read(fd, text + length, (size_t) (TEXT_MAX - 1 - length))) > 0)
        length += n;
    if (fd >= 0)
        (void) close(fd);
    text[length] = '\0';
    return (size_t) length;
}

static int is_volatile(const char *line)
{
    static const char *const prefixes[] = {
        "Tgid:",      "Ngid:",         "Pid:",  "PPid:", "NStgid:",       "NSpid:",
        "NSpgid:",    "NSsid:",        "Vm",    "Rss",   "HugetlbPages:", "FDSize:",
        "voluntary_", "nonvoluntary_", "SigQ:", "State:"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (strncmp(line, prefixes[i], strlen(prefixes[i])) == 0)
            return 1;
    }
    return 0;
}

static void lines_of(const char *name)
{
    static char text[TEXT_MAX];
    char path[64];
    char *position = NULL;

    (void) snprintf(path, sizeof(path), "/proc/self/%s", name);
    (void) read_text(path, text);
    for (char *line = strtok_r(text, "\n", &position); line;
         line = strtok_r(NULL, "\n", &position)) {
        if (strcmp(name, "status") != 0 || !is_volatile(line))
            (void) fprintf(out, "%s: %s\n", name, line);
    }
}

static void environment(char **environ_now)
{
    for (char **entry = environ_now; *entry; entry++)
        (void) fprintf(out, "environ: %s\n", *entry);
}

static void namespaces(void)
{
    static const char *const names[] = {"cgroup",           "ipc",  "mnt",  "net", "pid",
                                        "pid_for_children", "time", "user", "uts"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[64], target[128] = "";

        (void) snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
        (void) !readlink(path, target, sizeof(target) - 1);
        (void) fprintf(out, "ns: %s %s\n", names[i], target);
    }
}

/* Which are open, and what they are; an inode's number is of the run. */
static void descriptors(void)
{
    for (int fd = 0; fd < FDS_MAX; fd++) {
        struct stat status;

        if (fd == fileno(out) || fstat(fd, &status) < 0)
            continue;
        (void) fprintf(out, "fd: %d mode %o flags %o close-on-exec %d\n", fd,
                       (unsigned) status.st_mode, (unsigned) (fcntl(fd, F_GETFL) & ~LARGE_FILE),
                       fcntl(fd, F_GETFD));
        (void) fprintf(out, "fd owner: %d %u:%u\n", fd, status.st_uid, status.st_gid);
    }
}

static void terminal(void)
{
    struct winsize size = {0};
    char name[64] = "";
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);

    (void) fprintf(out, "tty: controlling %d foreground %d\n", tty >= 0,
                   tty >= 0 && tcgetpgrp(tty) == getpgrp());
    if (tty >= 0)
        (void) close(tty);
    if (ioctl(0, TIOCGWINSZ, &size) == 0)
        (void) fprintf(out, "tty size: %d %d\n", size.ws_col, size.ws_row);
    if (ttyname_r(0, name, sizeof(name)) == 0)
        (void) fprintf(out, "tty name: %.9s\n", name); /* "/dev/pts/" */
    (void) fprintf(out, "session: leader %d\n", getsid(0) == getpid());
    (void) fprintf(out, "group: leader %d\n", getpgrp() == getpid());
}

static void identity(void)
{
    uid_t uids[3];
    gid_t gids[3], groups[GROUPS_MAX];
    int count = getgroups(GROUPS_MAX, groups);

    (void) getresuid(&uids[0], &uids[1], &uids[2]);
    (void) getresgid(&gids[0], &gids[1], &gids[2]);
    for (int i = 0; i < 3; i++)
        (void) fprintf(out, "id: %u %u\n", uids[i], gids[i]);
    for (int i = 0; i < count; i++)
        (void) fprintf(out, "group: %u\n", groups[i]);
}

static void signals(void)
{
    for (int signum = 1; signum < NSIG; signum++) {
        struct sigaction action;

        if (sigaction(signum, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            (void) fprintf(out, "signal: %d is not default\n", signum);
    }
}

static void attributes(void)
{
    int signum = -1;
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    (void) sched_getaffinity(0, sizeof(cpus), &cpus);
    (void) prctl(PR_GET_PDEATHSIG, &signum);
    (void) fprintf(out, "prctl: dumpable %d securebits %d pdeathsig %d timerslack %d keepcaps %d\n",
                   prctl(PR_GET_DUMPABLE), prctl(PR_GET_SECUREBITS), signum,
                   prctl(PR_GET_TIMERSLACK), prctl(PR_GET_KEEPCAPS));
    (void) fprintf(out, "sched: policy %d nice %d cpus %d io %ld\n", sched_getscheduler(0),
                   getpriority(PRIO_PROCESS, 0), CPU_COUNT(&cpus), syscall(SYS_ioprio_get, 1, 0));
    (void) fprintf(out, "personality: %x\n", (unsigned) personality(0xffffffff));
}

/* What the filter of the test forbids. */
static void forbidden(void)
{
    struct sysinfo info;
    unsigned cpu;

    errno = 0;
    (void) syscall(SYS_getcpu, &cpu, NULL, NULL);
    (void) fprintf(out, "getcpu: %d\n", errno);
    errno = 0;
    (void) sysinfo(&info);
    (void) fprintf(out, "sysinfo: %d\n", errno);
}

static void place(int argc, char **argv)
{
    char path[4096] = "", exe[256] = "";
    mode_t mask = umask(0);

    (void) umask(mask);
    (void) !getcwd(path, sizeof(path));
    (void) !readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    (void) fprintf(out, "cwd: %s\numask: %03o\nexe: %s\n", path, (unsigned) mask, exe);
    (void) fprintf(out, "execfn: %s\n", (const char *) getauxval(AT_EXECFN));
    for (int i = 0; i < argc; i++)
        (void) fprintf(out, "argument: %s\n", argv[i]);
}

int main(int argc, char *argv[])
{
    static const char *const files[] = {"status",    "limits",        "cgroup",
                                        "mountinfo", "oom_score_adj", "setgroups"};
    char part[256];

    if (argc < 2)
        return 2;
    (void) snprintf(part, sizeof(part), "%s.part", argv[1]);
    out = fopen(part, "we");
    if (!out)
        return 3;
    environment(environ);
    place(argc, argv);
    identity();
    signals();
    attributes();
    terminal();
    descriptors();
    namespaces();
    forbidden();
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        lines_of(files[i]);
    return fclose(out) || rename(part, argv[1]);
}
