/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the agent tells cleave-exec, and what comes back. Both are of one build and of one machine,
 * so the layout is the compiler's.
 *
 * The block is a memory file: the header, then header.rlimit_count limits, header.filter_count
 * instructions, header.group_count groups, and strings with a NUL behind each: the working
 * directory, the arguments, the environment. */
#include <stddef.h>
#include <stdint.h>

enum { BLOCK_MAGIC = 0x636c6578, BLOCK_MAX = 8 * 1024 * 1024, BLOCK_NAME_MAX = 24 };

/* What cleave-exec finds open beside its standard streams. */
enum block_fd {
    BLOCK_FD_SOCKET = 3, /* SOCK_SEQPACKET to the agent */
    BLOCK_FD_BLOCK,
    BLOCK_FD_INIT,   /* pidfd of the container's first process */
    BLOCK_FD_CGROUP, /* a directory of version 2, or cgroup.procs of each hierarchy */
    BLOCK_CGROUPS_MAX = 24,
};

enum block_flag {
    BLOCK_TERMINAL = 1,
    BLOCK_NO_NEW_PRIVS = 2,
    BLOCK_SECCOMP = 4,
    BLOCK_OOM_SCORE = 8,
    BLOCK_PERSONALITY = 16,
    BLOCK_CGROUP_V2 = 32,
};

enum block_set {
    BLOCK_BOUNDING,
    BLOCK_EFFECTIVE,
    BLOCK_INHERITABLE,
    BLOCK_PERMITTED,
    BLOCK_AMBIENT,
    BLOCK_SETS,
};

struct block_header {
    uint32_t magic;
    uint32_t flags; /* enum block_flag */
    uint32_t uid, gid;
    uint32_t umask;
    int32_t oom_score;
    uint32_t personality;
    uint32_t seccomp_flags;
    uint16_t columns, rows; /* 0: unknown */
    uint32_t cgroup_count;
    uint32_t rlimit_count, filter_count, group_count;
    uint32_t argument_count, environment_count;
    uint32_t reserved;
    uint64_t capabilities[BLOCK_SETS];
};

struct block_rlimit {
    uint32_t resource;
    uint32_t reserved;
    uint64_t soft, hard;
    char name[BLOCK_NAME_MAX]; /* for a complaint */
};

/* Messages from cleave-exec, one packet each. The socket's end means that the program runs: the
 * process has given it up by its exec. The agent sends one byte, after BLOCK_STARTED: go on. */
enum block_note {
    BLOCK_STARTED, /* value: the process's id, as its parent sees it */
    BLOCK_MASTER,  /* carries the terminal's descriptor */
    BLOCK_FAILED,  /* value: errno, or 0; text: a sentence */
};

enum { BLOCK_TEXT_MAX = 240 };

struct block_message {
    uint32_t note;
    int32_t value;
    char text[BLOCK_TEXT_MAX];
};

_Static_assert(sizeof(struct block_header) % 8 == 0, "limits and instructions are aligned");
