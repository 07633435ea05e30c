/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(js_freep) struct js *root = NULL;
    scoped(freep) char *text = xalloc(size + 1);
    struct error err = {0};

    memcpy(text, data, size);
    if (document_parse(text, size, &root, &err) < 0) {
        if (root || !err.message[0])
            abort();
        return 0;
    }
    if (js_type(root) != JS_OBJECT)
        abort();
    return 0;
}
