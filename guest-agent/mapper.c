/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

#define CONTROL "/dev/" DM_DIR "/" DM_CONTROL_NODE

enum { TEXT_MAX = 512 };

/* What one ioctl takes and gives: the head, a target, its parameters or its status. */
struct question {
    struct dm_ioctl head;
    struct dm_target_spec target;
    char text[TEXT_MAX];
};

static void begin(struct question *question, const char *name)
{
    *question = (struct question){.head = {.version = {DM_VERSION_MAJOR, 0, 0},
                                           .data_size = sizeof(*question),
                                           .data_start = offsetof(struct question, target)}};
    strncpy(question->head.name, name, sizeof(question->head.name) - 1);
}

static int ask(unsigned long what, struct question *question, const char *doing, struct error *err)
{
    scoped(closep) int control = open(CONTROL, O_RDWR | O_CLOEXEC);

    if (control < 0)
        return error_errno(err, errno, "open '%s'", CONTROL);
    if (ioctl(control, what, question) < 0)
        return error_errno(err, errno, "%s the device '%s'", doing, question->head.name);
    return 0;
}

static int load(const struct mapper_table *table, struct error *err)
{
    struct question question;

    begin(&question, table->name);
    question.head.target_count = 1;
    question.target.length = table->sectors;
    question.target.next = sizeof(question) - offsetof(struct question, target);
    strncpy(question.target.target_type, table->target, sizeof(question.target.target_type) - 1);
    if (text_format(question.text, sizeof(question.text), err, "%s", table->parameters) < 0)
        return -1;
    return ask(DM_TABLE_LOAD, &question, "describe", err);
}

/* A loaded table counts from here on. */
static int resume(const char *name, unsigned *ret_minor, struct error *err)
{
    struct question question;

    begin(&question, name);
    if (ask(DM_DEV_SUSPEND, &question, "start", err) < 0) /* without its flag: resume */
        return -1;
    *ret_minor = minor(question.head.dev);
    return 0;
}

int mapper_make(const struct mapper_table *table, char ret[MAPPER_PATH_SIZE], struct error *err)
{
    struct question question;
    unsigned number;

    begin(&question, table->name);
    if (ask(DM_DEV_CREATE, &question, "make", err) < 0 || load(table, err) < 0 ||
        resume(table->name, &number, err) < 0)
        return -1;
    return text_format(ret, MAPPER_PATH_SIZE, err, "/dev/dm-%u", number);
}

int mapper_change(const struct mapper_table *table, struct error *err)
{
    struct question question;
    unsigned number;

    if (load(table, err) < 0)
        return -1;
    begin(&question, table->name);
    question.head.flags = DM_SUSPEND_FLAG;
    if (ask(DM_DEV_SUSPEND, &question, "stop", err) < 0)
        return -1;
    return resume(table->name, &number, err);
}

int mapper_status(const char *name, char ret[MAPPER_STATUS_SIZE], struct error *err)
{
    struct question question;

    begin(&question, name);
    if (ask(DM_TABLE_STATUS, &question, "ask", err) < 0)
        return -1;
    if (question.head.target_count != 1 || question.head.flags & DM_BUFFER_FULL_FLAG)
        return error_set(err, STATUS_INTERNAL, "the device '%s' says nothing of itself", name);
    question.text[TEXT_MAX - 1] = '\0';
    return text_format(ret, MAPPER_STATUS_SIZE, err, "%s", question.text);
}
