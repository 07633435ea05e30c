/* SPDX-License-Identifier: Apache-2.0 */
/* One byte for the kind of log and the bank, then a log: whatever is taken lies within it and only
 * touches registers that exist. */
#include <stdlib.h>

#include "base/scoped.h"
#include "evidence/event_replay.h"
#include "evidence/finding.h"
#include "evidence/reference_values.h"
#include "evidence/tpm_loads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_walk(enum event_log_kind kind, const uint8_t *data, size_t size)
{
    struct finding finding = {0};
    struct event_log log;
    struct event event;
    int rc = event_log_open(&log, kind, data, size, &finding);

    if (rc == 0)
        while ((rc = event_log_next(&log, &event, &finding)) == 1)
            if (event.size > size || event.data < data || event.data + event.size > data + size)
                abort();
    if ((rc < 0) != (finding.code != FINDING_NONE))
        abort();
}

/* Of a log that was refused: which of its loads are others. */
static void check_loads(const uint8_t *data, size_t size)
{
    static const uint8_t none[1][SHA256_SIZE] = {{1}};
    const struct registers_list list = {none, 1};
    const struct reference_tpm values = {
        .pcrs = {.set = BIT(9), .lists = {[9] = list}}, .cmdline = list, .initrd = list};
    const struct registers quoted = {.set = BIT(9)};
    struct evidence_verdict verdict = {0};

    tpm_loads_explain(&values, &quoted,
                      &(struct evidence_bundle){.event_log = data, .event_log_length = size},
                      &verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum event_log_kind kind = size && data[0] & 1 ? EVENT_LOG_CCEL : EVENT_LOG_TPM;
    struct event_replay replay = {.type = size && data[0] & 2 ? DIGEST_SHA384 : DIGEST_SHA256,
                                  .data = EVENT_REPLAY_DATA_CHECKED};
    struct finding finding = {0};
    struct event_log log;

    if (size == 0)
        return 0;
    check_walk(kind, data + 1, size - 1);
    check_loads(data + 1, size - 1);
    if (event_log_open(&log, kind, data + 1, size - 1, &finding) == 0 &&
        event_replay_run(&replay, &log, &finding) == 0 &&
        replay.registers.set >= BIT(registers_count(replay.registers.kind)))
        abort();
    return 0;
}
