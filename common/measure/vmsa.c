/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/vmsa.h"

#include <string.h>

#include "base/scoped.h"
#include "measure/le.h"

/* Offsets in the page. The last two are narrower than 8 bytes; behind them are zeros. */
enum {
    ES_AT = 0x000,
    CS_AT = 0x010,
    SS_AT = 0x020,
    DS_AT = 0x030,
    FS_AT = 0x040,
    GS_AT = 0x050,
    GDTR_AT = 0x060,
    LDTR_AT = 0x070,
    IDTR_AT = 0x080,
    TR_AT = 0x090,
    EFER_AT = 0x0d0,
    CR4_AT = 0x148,
    CR0_AT = 0x158,
    DR7_AT = 0x160,
    DR6_AT = 0x168,
    RFLAGS_AT = 0x170,
    RIP_AT = 0x178,
    PAT_AT = 0x268,
    RDX_AT = 0x310,
    FEATURES_AT = 0x3b0,
    XCR0_AT = 0x3e8,
    MXCSR_AT = 0x408,
    FCW_AT = 0x410,
};

enum { CODE = 0x9b, DATA = 0x93, LDT = 0x82, TASK = 0x8b }; /* attributes of segments */
enum { LIMIT = 0xffff };

struct segment {
    unsigned at;
    uint16_t selector, attributes;
    uint32_t base;
};

static void put_segment(uint8_t *page, const struct segment *segment)
{
    uint8_t *to = page + segment->at;

    le_put_u16(to, segment->selector);
    le_put_u16(to + 2, segment->attributes);
    le_put_u32(to + 4, LIMIT);
    le_put_u64(to + 8, segment->base);
}

void vmsa_page(const struct vmsa *vmsa, uint8_t ret[VMSA_SIZE])
{
    const struct segment segments[] = {
        {ES_AT, 0, DATA, 0}, {CS_AT, 0xf000, CODE, vmsa->address & 0xffff0000},
        {SS_AT, 0, DATA, 0}, {DS_AT, 0, DATA, 0},
        {FS_AT, 0, DATA, 0}, {GS_AT, 0, DATA, 0},
        {GDTR_AT, 0, 0, 0},  {LDTR_AT, 0, LDT, 0},
        {IDTR_AT, 0, 0, 0},  {TR_AT, 0, TASK, 0},
    };
    const struct {
        unsigned at;
        uint64_t value;
    } registers[] = {
        {EFER_AT, 0x1000}, /* SVME: KVM sets it */
        {CR4_AT, 0x40},    /* MCE: likewise */
        {CR0_AT, 0x10},
        {DR7_AT, 0x400},
        {DR6_AT, 0xffff0ff0},
        {RFLAGS_AT, 0x2},
        {RIP_AT, vmsa->address & 0xffff},
        {PAT_AT, 0x0007040600070406},
        {RDX_AT, vmsa->signature},
        {FEATURES_AT, vmsa->features},
        {XCR0_AT, 0x1},
        {MXCSR_AT, 0x1f80},
        {FCW_AT, 0x37f},
    };

    memset(ret, 0, VMSA_SIZE);
    for (size_t i = 0; i < ARRAY_LENGTH(segments); i++)
        put_segment(ret, &segments[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(registers); i++)
        le_put_u64(ret + registers[i].at, registers[i].value);
}
