/* SPDX-License-Identifier: Apache-2.0 */
/* One byte for the bank, then reference values: those that are taken are registers that exist. */
#include <stdlib.h>

#include "base/scoped.h"
#include "evidence/finding.h"
#include "evidence/registers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct finding finding = {0};
    struct registers registers;

    if (size == 0)
        return 0;
    registers_init(&registers, REGISTERS_PCR, data[0] & 1 ? DIGEST_SHA384 : DIGEST_SHA256);
    if ((registers_parse((const char *) data + 1, size - 1, &registers, &finding) == 0) !=
            (finding.code == FINDING_NONE) ||
        registers.set >= BIT(REGISTERS_MAX))
        abort();
    if (finding.code == FINDING_NONE && registers_match(&registers, &registers, &finding) < 0)
        abort();
    return 0;
}
