/* SPDX-License-Identifier: Apache-2.0 */
#include "seccomp_profile.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"

enum { PROFILE_SIZE_MAX = 256 * 1024 };

int seccomp_profile_read(const char *path, struct js **ret, struct error *err)
{
    static const char *const members[] = {"defaultAction", "defaultErrnoRet", "architectures",
                                          "flags",         "syscalls",        NULL};
    scoped(js_freep) struct js *profile = NULL;
    scoped(freep) char *text = NULL;
    size_t length;

    if (!path) {
        *ret = NULL;
        return 0;
    }
    if (file_read(path, PROFILE_SIZE_MAX, &text, &length, err) < 0)
        return -1;
    if (js_parse(text, length, &profile, err) < 0 || js_only(profile, members, err) < 0)
        return error_wrap(err, "%s", path);
    if (!js_get_string(profile, "defaultAction"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: no defaultAction: a LinuxSeccomp object of the OCI specification is "
                         "wanted",
                         path);
    *ret = take_ptr(profile);
    return 0;
}
