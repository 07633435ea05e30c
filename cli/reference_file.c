/* SPDX-License-Identifier: Apache-2.0 */
#include "reference_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "evidence/reference_values.h"

struct content {
    char *data;
    size_t length;
};

static void content_fini(struct content *content)
{
    free(content->data);
}

static struct chain_bytes bytes(const struct content *content)
{
    return (struct chain_bytes){(const uint8_t *) content->data, content->length};
}

static int verify(const char *path, const char *keys, const struct content *text, struct error *err)
{
    scoped(freep) char *signature_path = xformat("%s.sig", path);
    scoped(content_fini) struct content signature = {0};
    scoped(content_fini) struct content pem = {0};

    if (file_read(signature_path, REFERENCE_VALUES_SIGNATURE_MAX, &signature.data,
                  &signature.length, err) < 0 ||
        file_read(keys, REFERENCE_VALUES_KEYS_MAX, &pem.data, &pem.length, err) < 0)
        return -1;
    if (reference_values_verify_signature(bytes(text), bytes(&signature), bytes(&pem), err) < 0)
        return error_wrap(err, "'%s' by '%s'", signature_path, keys);
    return 0;
}

int reference_file_load(const char *path, const char *keys, struct reference_values **ret,
                        struct error *err)
{
    scoped(content_fini) struct content text = {0};

    if (file_read(path, REFERENCE_VALUES_MAX, &text.data, &text.length, err) < 0)
        return -1;
    if (keys && verify(path, keys, &text, err) < 0)
        return -1;
    if (reference_values_parse(text.data, text.length, ret, err) < 0)
        return error_wrap(err, "'%s'", path);
    return 0;
}
