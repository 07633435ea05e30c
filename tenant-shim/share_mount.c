/* SPDX-License-Identifier: Apache-2.0 */
#include "share_mount.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "pod_share.h"
#include "share_rules.h"
#include "spec_rules.h"

enum access { ACCESS_WRITE, ACCESS_READ, ACCESS_READ_ALL };

struct wishes {
    enum access access;
    bool follows; /* mounts that the node makes later are to be seen */
};

static struct wishes read_options(const struct js *options)
{
    struct wishes wishes = {.access = ACCESS_WRITE};

    for (size_t i = 0; i < js_length(options); i++) {
        const char *option = js_string(js_at(options, i));

        if (text_equal(option, "rro"))
            wishes.access = ACCESS_READ_ALL;
        else if (text_equal(option, "ro") && wishes.access == ACCESS_WRITE)
            wishes.access = ACCESS_READ;
        else if (text_equal(option, "rslave") || text_equal(option, "slave"))
            wishes.follows = true;
    }
    return wishes;
}

int share_mount_add(const struct share_mount *mount, struct guest_spec *result, struct js *out,
                    struct error *err)
{
    /* As share/export.h has them. */
    static const char *const names[] = {
        [ACCESS_WRITE] = "rw", [ACCESS_READ] = "ro", [ACCESS_READ_ALL] = "rro"};
    struct wishes wishes = read_options(mount->options);
    struct spec_share *share = &result->shares[result->share_count];

    if (share_rules_is_image(mount->source) && wishes.access == ACCESS_WRITE)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "mount '%s': an image is mounted read-only only", mount->destination);
    if (wishes.follows && wishes.access == ACCESS_READ_ALL)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "mount '%s': mounts that the node makes later would not be read-only",
                         mount->destination);
    if (result->share_count == SPEC_SHARES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d live shares",
                         SPEC_SHARES_MAX);
    *share = (struct spec_share){
        .source = xstrdup(mount->source), .destination = xstrdup(mount->destination), .mount = out};
    share->options = xformat("%s%s", names[wishes.access], wishes.follows ? ",slave" : "");
    result->share_count++;
    js_set_string(out, "source", POD_SHARE_SOURCE);
    return 0;
}

bool share_mount_keeps(const char *option)
{
    return !text_equal(option, "ro") && !text_equal(option, "rro");
}

void share_mount_complete(struct guest_spec *result)
{
    for (size_t i = 0; i < result->share_count; i++) {
        scoped(freep) char *source = xformat("%s%s", POD_SHARE_SOURCE, result->shares[i].name);

        js_set_string(result->shares[i].mount, "source", source);
    }
}
