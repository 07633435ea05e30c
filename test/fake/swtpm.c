/* SPDX-License-Identifier: Apache-2.0 */
#include "swtpm.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

enum { PORT = 2321, TURNS_MAX = 1000 };

static void must(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}

void swtpm_own_network(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd;

    must(unshare(CLONE_NEWNET) == 0, "unshare");
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0, "bring lo up");
    (void) close(fd);
}

void swtpm_init(struct swtpm *swtpm)
{
    *swtpm = (struct swtpm){.directory = "/tmp/swtpm-XXXXXX"};
    must(mkdtemp(swtpm->directory) != NULL, "mkdtemp");
    swtpm_start(swtpm);
}

static void become(const struct swtpm *swtpm)
{
    char state[128];
    int null = open("/dev/null", O_RDWR);

    (void) snprintf(state, sizeof(state), "dir=%s", swtpm->directory);
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void) dup2(null, 0);
    (void) dup2(null, 1);
    execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server",
           "type=tcp,port=2321,bindaddr=127.0.0.1", "--ctrl",
           "type=tcp,port=2322,bindaddr=127.0.0.1", "--flags", "startup-clear,not-need-init", NULL);
    perror("swtpm");
    _exit(127);
}

/* Connecting alone is no proof that it has been set up, but it listens after that. */
void swtpm_start(struct swtpm *swtpm)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int good = -1;

    swtpm->pid = fork();
    must(swtpm->pid >= 0, "fork");
    if (swtpm->pid == 0)
        become(swtpm);
    for (int i = 0; good != 0 && i < TURNS_MAX; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        good = connect(fd, (const struct sockaddr *) &address, sizeof(address));
        (void) close(fd);
        if (good != 0)
            (void) nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    must(good == 0, "no swtpm");
}

void swtpm_stop(struct swtpm *swtpm)
{
    if (swtpm->pid <= 0)
        return;
    (void) kill(swtpm->pid, SIGKILL);
    (void) waitpid(swtpm->pid, NULL, 0);
    swtpm->pid = 0;
}

void swtpm_fini(struct swtpm *swtpm)
{
    struct error ignored;

    swtpm_stop(swtpm);
    (void) !file_remove_tree(swtpm->directory, &ignored);
}
