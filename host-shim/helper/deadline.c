/* SPDX-License-Identifier: Apache-2.0 */
#include "deadline.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

/* Written before the alarm is armed: the handler may only write() and _exit(). */
static char last_words[256];

static void expired(int signum)
{
    (void) signum;
    (void) !write(STDOUT_FILENO, last_words, strlen(last_words));
    _exit(1);
}

void deadline_begin(const char *what, unsigned seconds)
{
    struct sigaction action = {.sa_handler = expired};

    alarm(0);
    snprintf(last_words, sizeof(last_words),
             "{\"code\":%d,\"message\":\"%s: no answer from libvirt within %u s\"}\n",
             STATUS_DEADLINE_EXCEEDED, what, seconds);
    sigaction(SIGALRM, &action, NULL);
    alarm(seconds);
}

void deadline_end(void)
{
    alarm(0);
}
