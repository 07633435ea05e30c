/* SPDX-License-Identifier: Apache-2.0 */
#include "power_button.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/input.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

#define DIRECTORY "/dev/input"

static bool take_key(uint8_t *keys, unsigned key)
{
    uint8_t bit = (uint8_t) (1u << (key % 8));
    bool there = keys[key / 8] & bit;

    keys[key / 8] &= (uint8_t) ~bit;
    return there;
}

/* Keyboards have the key too: a power button has no other, but on newer kernels that by which it
 * wakes a machine. */
static bool is_power_button(int fd)
{
    uint8_t keys[KEY_CNT / 8] = {0};

    if (ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) < 0 || !take_key(keys, KEY_POWER))
        return false;
    (void) take_key(keys, KEY_WAKEUP);
    for (size_t i = 0; i < sizeof(keys); i++) {
        if (keys[i])
            return false;
    }
    return true;
}

static int open_if_button(const char *name)
{
    scoped(closep) int fd = -1;
    struct error ignored;
    char path[300];

    if (!text_starts(name, "event") ||
        text_format(path, sizeof(path), &ignored, "%s/%s", DIRECTORY, name) < 0)
        return -1;
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && is_power_button(fd) ? take_fd(fd) : -1;
}

int power_button_open(void)
{
    DIR *directory = opendir(DIRECTORY);
    const struct dirent *entry;
    int fd = -1;

    if (!directory)
        return -1;
    while (fd < 0 && (entry = readdir(directory)))
        fd = open_if_button(entry->d_name);
    (void) closedir(directory);
    return fd;
}

bool power_button_pressed(int fd)
{
    struct input_event event;
    bool pressed = false;

    while (read(fd, &event, sizeof(event)) == (ssize_t) sizeof(event))
        pressed |= event.type == EV_KEY && event.code == KEY_POWER && event.value == 1;
    return pressed;
}
