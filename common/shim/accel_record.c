/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/accel_record.h"

#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "shim/state_file.h"

static const struct state_format format = {.kind = "accel", .version = 1};

char *accel_record_about(const struct accel_subject *subject)
{
    struct utsname host;
    struct stat kernel;

    if (uname(&host) < 0 || stat(subject->kernel_path, &kernel) < 0)
        return xstrdup("");
    return xformat("%s %s %lld %lld%s%s", host.release, subject->kernel, (long long) kernel.st_size,
                   (long long) kernel.st_mtime, subject->firmware[0] ? " " : "", subject->firmware);
}

enum accel_proof accel_record_read(const char *file, const char *about)
{
    scoped(js_freep) struct js *record = NULL;
    struct error err;

    if (state_file_read(file, &format, &record, &err) < 0)
        return ACCEL_PROOF_NONE;
    if (!about[0] || !text_equal(js_get_string(record, "about"), about))
        return ACCEL_PROOF_STALE;
    return js_get_boolean(record, "kvm", false) ? ACCEL_PROOF_FOR : ACCEL_PROOF_AGAINST;
}

int accel_record_write(const char *file, const char *about, bool kvm, struct error *err)
{
    scoped(js_freep) struct js *record = js_new_object();

    js_set_string(record, "about", about);
    js_set(record, "kvm", js_new_boolean(kvm));
    return state_file_write(file, &format, record, err);
}
