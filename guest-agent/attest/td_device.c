/* SPDX-License-Identifier: Apache-2.0 */
#include "td_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "evidence/td_report.h"

/* As the kernel's linux/tdx-guest.h has it, from 6.2 on. */
struct question {
    uint8_t report_data[64];
    uint8_t report[TD_REPORT_SIZE];
};
#define GET_REPORT _IOWR('T', 1, struct question)

enum { TYPE_TDX = 0x81, REPORT_DATA_AT = 128, MRCONFIGID_AT = 576 };

static int ask(const char *device, struct question *question, struct error *err)
{
    scoped(closep) int fd = open(device, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    int rc;

    if (fd < 0)
        return error_errno(err, errno, "open '%s'", device);
    do
        rc = ioctl(fd, GET_REPORT, question);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? error_errno(err, errno, "get a TDREPORT") : 0;
}

int td_device_check_initdata(const char *device, const void *initdata, size_t length,
                             struct error *err)
{
    struct question question = {0};
    uint8_t asked[sizeof(question.report_data)] = {0}, digest[SHA384_SIZE];

    if (ask(device, &question, err) < 0)
        return -1;
    if (question.report[0] != TYPE_TDX ||
        memcmp(question.report + REPORT_DATA_AT, asked, sizeof(asked)) != 0)
        return error_set(err, STATUS_DATA_LOSS,
                         "the TDREPORT is none of a trust domain, or answers another question");
    digest_sha384(initdata, length, digest);
    if (memcmp(question.report + MRCONFIGID_AT, digest, sizeof(digest)) != 0)
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "MRCONFIGID of this machine is not the digest of its initdata");
    return 0;
}
