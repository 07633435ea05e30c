/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/tpm_loads.h"

#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "evidence/event_log.h"
#include "evidence/evidence.h"
#include "evidence/finding.h"
#include "evidence/reference_values.h"

enum { PCR_LOADS = 9, TAG_HEAD = 8 };

enum load { CMDLINE, INITRD, LOADS };

/* The stub tags each event: a number and a length before the text, which ends with a NUL or not. */
static const struct {
    const char *tag, *name;
} loads[LOADS] = {
    [CMDLINE] = {"LOADED_IMAGE::LoadOptions", "command line"},
    [INITRD] = {"Linux initrd", "initrd"},
};

static bool has_tag(const struct event *event, const char *tag)
{
    size_t length = strlen(tag);

    return event->size >= TAG_HEAD + length && memcmp(event->data + TAG_HEAD, tag, length) == 0;
}

static bool is_good(const uint8_t *digest, const struct registers_list *good)
{
    for (size_t i = 0; i < good->count; i++)
        if (memcmp(digest, good->values[i], SHA256_SIZE) == 0)
            return true;
    return false;
}

/* Bit n: that load is in the log and none of the good ones. */
static unsigned find_others(const struct evidence_bundle *bundle,
                            const struct reference_tpm *values)
{
    const struct registers_list *good[LOADS] = {&values->cmdline, &values->initrd};
    struct event_log log;
    struct event event;
    struct finding ignored;
    unsigned others = 0;
    int bank;

    if (event_log_open(&log, EVENT_LOG_TPM, bundle->event_log, bundle->event_log_length, &ignored) <
        0)
        return 0;
    bank = event_log_algorithm(&log, EVENT_SHA256);
    while (bank >= 0 && event_log_next(&log, &event, &ignored) > 0)
        for (unsigned i = 0; i < LOADS; i++)
            if (event.index == PCR_LOADS && event.type == EVENT_TAG &&
                has_tag(&event, loads[i].tag) && good[i]->count &&
                !is_good(event.digests[bank], good[i]))
                others |= BIT(i);
    return others;
}

static bool is_pcr9_alone(const struct reference_tpm *values, const struct registers *quoted)
{
    struct registers_lists rest = values->pcrs;
    struct finding ignored;

    rest.set &= ~BIT(PCR_LOADS);
    return registers_allow(quoted, &values->pcrs, &ignored) < 0 &&
           registers_allow(quoted, &rest, &ignored) == 0;
}

void tpm_loads_explain(const struct reference_tpm *values, const struct registers *quoted,
                       const struct evidence_bundle *bundle, struct evidence_verdict *ret)
{
    size_t used = strlen(ret->text);
    unsigned others;

    if (!bundle->event_log_length || !is_pcr9_alone(values, quoted))
        return;
    others = find_others(bundle, values);
    if (others == (BIT(CMDLINE) | BIT(INITRD)))
        (void) snprintf(ret->text + used, sizeof(ret->text) - used,
                        "; by the guest's log both command line and initrd are others");
    else if (others)
        (void) snprintf(ret->text + used, sizeof(ret->text) - used,
                        "; by the guest's log the %s is another",
                        loads[others == BIT(CMDLINE) ? CMDLINE : INITRD].name);
}
