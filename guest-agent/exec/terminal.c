/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "note.h"
#include "plan.h"

/* The container may have put anything at /dev/ptmx: only what a devpts itself has under that name
 * is opened, and the other end through it, without a path. */
static int open_master(void)
{
    int directory = open("/dev/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct statfs fs;
    int master;

    if (directory < 0 || fstatfs(directory, &fs) < 0)
        note_fail(errno, "open `/dev/pts`");
    if (fs.f_type != DEVPTS_SUPER_MAGIC)
        note_fail(0, "`/dev/pts` is no devpts");
    master = openat(directory, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    if (master < 0)
        note_fail(errno, "open `/dev/pts/ptmx`");
    (void) close(directory);
    return master;
}

static int open_slave(int master)
{
    int unlocked = 0;
    int slave;

    if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
        note_fail(errno, "unlock the terminal");
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    if (slave < 0)
        note_fail(errno, "open the terminal");
    return slave;
}

void terminal_open(const struct plan *plan)
{
    const struct block_header *header = plan->header;
    struct winsize size = {.ws_col = header->columns, .ws_row = header->rows};
    int master = open_master();
    int slave = open_slave(master);

    if (size.ws_col > 0 && size.ws_row > 0 && ioctl(master, TIOCSWINSZ, &size) < 0)
        note_fail(errno, "set the terminal's size");
    if (fchown(slave, header->uid, (gid_t) -1) < 0)
        note_fail(errno, "give the terminal to user %u", header->uid);
    for (int fd = 0; fd < 3; fd++) {
        if (dup2(slave, fd) < 0)
            note_fail(errno, "dup the terminal");
    }
    if (ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
        note_fail(errno, "ioctl TIOCSCTTY");
    note_send_fd(master);
    (void) close(master);
    (void) close(slave);
}
