/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed_file.h"

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "document.h"
#include "halves.h"
#include "sealed/manifest.h"
#include "sealed/package.h"

static int open_annotation(const struct js *pod, struct manifest **ret, struct error *err)
{
    const char *package = js_get_string(js_path(pod, "metadata", "annotations"),
                                        MANIFEST_ANNOTATION);
    scoped(freep) char *text = NULL;
    size_t length;

    if (!package)
        return error_set(err, STATUS_NOT_FOUND,
                         "the pod has no annotation " MANIFEST_ANNOTATION ": it is not sealed");
    if (package_open(package, &text, &length, err) < 0)
        return error_wrap(err, MANIFEST_ANNOTATION);
    return manifest_parse(text, length, ret, err);
}

int sealed_file_read(const char *path, struct manifest **ret, struct js **ret_pod,
                     struct error *err)
{
    scoped(js_freep) struct js *document = NULL;
    scoped(freep) char *text = NULL;

    if (document_read(path, &document, err) < 0)
        return -1;
    if (js_get(document, "kind")) {
        if (open_annotation(document, ret, err) < 0)
            return error_wrap(err, "%s", path);
        *ret_pod = take_ptr(document);
        return 0;
    }
    /* Its members in whatever order: the bytes that count are the canonical ones. */
    text = js_print_canonical(document);
    if (manifest_parse(text, strlen(text), ret, err) < 0)
        return error_wrap(err, "%s", path);
    *ret_pod = NULL;
    return 0;
}
