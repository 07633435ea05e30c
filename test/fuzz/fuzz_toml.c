/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(toml_freep) struct toml *toml = NULL;
    const struct toml_entry *entries;
    size_t count;
    struct error err = {0};

    if (toml_parse((const char *) data, size, &toml, &err) < 0) {
        if (toml || !err.message[0])
            abort();
        return 0;
    }
    entries = toml_entries(toml, &count);
    for (size_t i = 0; i < count; i++)
        if (toml_find(toml, entries[i].table, entries[i].key) != &entries[i])
            abort();
    return 0;
}
