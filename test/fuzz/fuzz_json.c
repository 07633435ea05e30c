/* SPDX-License-Identifier: Apache-2.0 */
/* What parses prints, and what was printed parses to the same. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(js_freep) struct js *root = NULL;
    scoped(js_freep) struct js *again = NULL;
    scoped(freep) char *text = NULL, *canonical = NULL, *canonical_again = NULL;
    struct error err;

    if (js_parse((const char *) data, size, &root, &err) < 0)
        return 0;
    text = js_print(root);
    if (js_parse(text, strlen(text), &again, &err) < 0)
        abort();
    canonical = js_print_canonical(root);
    canonical_again = js_print_canonical(again);
    if (strcmp(canonical, canonical_again) != 0)
        abort();
    return 0;
}
