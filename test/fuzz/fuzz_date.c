/* SPDX-License-Identifier: Apache-2.0 */
/* A time has one spelling: what was read prints as it was written. */
#include <stdlib.h>
#include <string.h>

#include "base/date.h"
#include "base/scoped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(freep) char *text = xstrndup((const char *) data, size);
    char again[DATE_SIZE];
    int64_t seconds;

    if (!date_parse(text, &seconds))
        return 0;
    date_print(seconds, again);
    if (strcmp(text, again) != 0)
        abort();
    return 0;
}
