/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "secure/initdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read can be written, and says the same then. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(initdata_freep) struct initdata *initdata = NULL, *again = NULL;
    struct error err = {0};

    if (initdata_parse(data, size, &initdata, &err) < 0) {
        if (initdata || !err.message[0])
            abort();
        return 0;
    }
    const struct initdata_content *content = &initdata->content;
    if (content->peer_count == 0 || content->peer_count > INITDATA_PEERS_MAX)
        abort();
    for (size_t i = 0; i < content->peer_count; i++)
        if (initdata_peer(initdata, content->peers[i].spki) != &content->peers[i])
            abort();
    if (initdata_make(content, &again, &err) < 0)
        abort();
    if (memcmp(&again->content, content, sizeof(*content)) != 0)
        abort();
    return 0;
}
