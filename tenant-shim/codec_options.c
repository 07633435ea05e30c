/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_options.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "shiminfo.pb-c.h"

int codec_options_conf_path(const char *type_url, const uint8_t *value, size_t length, char **ret,
                            struct error *err)
{
    Shiminfo__RuntimeOptions *options;
    char *path = NULL;
    int r = 0;

    if (!text_equal(type_url, "runtimeoptions.v1.Options"))
        return 0; /* runc's, which containerd sends to everybody */
    options = shiminfo__runtime_options__unpack(NULL, length, value);
    if (!options)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the runtime's options cannot be read");
    if (options->config_path[0] == '/')
        path = xstrdup(options->config_path);
    else if (options->config_path[0])
        r = error_set(err, STATUS_INVALID_ARGUMENT, "ConfigPath '%.100s' is not absolute",
                      options->config_path);
    else if (options->config_body.len > 0)
        log_warn("the runtime's options are ignored but for ConfigPath");
    shiminfo__runtime_options__free_unpacked(options, NULL);
    if (path) {
        free(*ret);
        *ret = path;
    }
    return r;
}
