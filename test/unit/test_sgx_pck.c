/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "evidence/sgx_pck.h"
#include "x509_fixture.h"

/* A good extension, but for what is not zero here. */
struct odd {
    int svn; /* .2.svn has this value */
    int value;
    int svn_twice, item_twice;
    unsigned chip; /* BIT(1): there is a PPID, BIT(6): an instance */
    int chip_size; /* of both; 0: as it should be */
    int more;      /* an item that nobody knows */
};

static void put_item(struct der *to, int a, int b, const struct der *value)
{
    const uint8_t oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 13, 1, (uint8_t) a, (uint8_t) b};
    struct der item = {0};

    der_put(&item, 0x06, oid, b ? sizeof(oid) : sizeof(oid) - 1);
    der_raw(&item, value->data, value->size);
    der_wrap(to, 0x30, &item);
}

static void put_tcb(struct der *to, const struct odd *odd)
{
    struct der list = {0}, tcb = {0}, cpu_svn = {0};

    for (int i = 1; i <= 17; i++) {
        struct der svn = {0};

        der_number(&svn, i == odd->svn ? odd->value : i);
        put_item(&list, 2, i, &svn);
        if (i == odd->svn_twice)
            put_item(&list, 2, i, &svn);
    }
    der_put(&cpu_svn, 0x04, "0123456789abcdef", 16);
    put_item(&list, 2, 18, &cpu_svn);
    der_wrap(&tcb, 0x30, &list);
    put_item(to, 2, 0, &tcb);
}

static int parse(const struct odd *odd, struct sgx_pck *ret, struct error *err)
{
    struct der items = {0}, whole = {0}, pce_id = {0}, fmspc = {0};

    der_put(&pce_id, 0x04, "\1\2", 2);
    der_put(&fmspc, 0x04, "fmspc!", 6);
    if (odd->more)
        put_item(&items, 99, 1, &pce_id);
    for (int i = 2; i <= 4; i++) {
        for (int times = 0; times <= (odd->item_twice == i); times++) {
            if (i == 2)
                put_tcb(&items, odd);
            else
                put_item(&items, i, 0, i == 3 ? &pce_id : &fmspc);
        }
    }
    for (int i = 1; i <= 6; i += 5) {
        struct der chip = {0};
        char text[] = "chip 0 of many!!";

        text[5] = (char) ('0' + i);
        der_put(&chip, 0x04, text, odd->chip_size ? (size_t) odd->chip_size : 16);
        for (int times = 0; odd->chip & BIT(i) && times <= (odd->item_twice == i); times++)
            put_item(&items, i, 0, &chip);
    }
    der_wrap(&whole, 0x30, &items);
    return sgx_pck_parse(whole.data, whole.size, ret, err);
}

START_TEST(an_extension_says_which_platform_it_is)
{
    static const struct odd goods[] = {
        {0}, {.more = 1}, {.svn = 16, .value = 255}, {.svn = 17, .value = 0x7fff}};
    struct sgx_pck pck;
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(goods); i++) {
        ck_assert_int_eq(parse(&goods[i], &pck, &err), 0);
        for (int svn = 1; svn <= 16; svn++)
            ck_assert_int_eq(pck.components[svn - 1], svn == goods[i].svn ? goods[i].value : svn);
        ck_assert_int_eq(pck.pce_svn, goods[i].svn == 17 ? goods[i].value : 17);
        ck_assert_mem_eq(pck.pce_id, "\1\2", 2);
        ck_assert_mem_eq(pck.fmspc, "fmspc!", 6);
        ck_assert(!pck.has_ppid && !pck.has_instance);
    }
}
END_TEST

START_TEST(an_extension_says_which_chip_it_is)
{
    static const struct {
        struct odd odd;
        bool has_ppid, has_instance;
    } cases[] = {{{.chip = BIT(1)}, true, false},
                 {{.chip = BIT(6)}, false, true},
                 {{.chip = BIT(1) | BIT(6)}, true, true}};
    struct sgx_pck pck;
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ck_assert_int_eq(parse(&cases[i].odd, &pck, &err), 0);
        ck_assert_int_eq(pck.has_ppid, cases[i].has_ppid);
        ck_assert_int_eq(pck.has_instance, cases[i].has_instance);
        if (pck.has_ppid)
            ck_assert_mem_eq(pck.ppid, "chip 1 of many!!", 16);
        if (pck.has_instance)
            ck_assert_mem_eq(pck.instance, "chip 6 of many!!", 16);
    }
}
END_TEST

START_TEST(an_item_that_is_odd_is_refused)
{
    static const struct {
        struct odd odd;
        const char *text;
    } odds[] = {
        {{.svn_twice = 1}, "an SVN that stands twice"},
        {{.svn_twice = 17}, "an SVN that stands twice"},
        {{.item_twice = 2}, "an item stands twice"},
        {{.item_twice = 3}, "an item stands twice"},
        {{.item_twice = 4}, "an item stands twice"},
        {{.chip = BIT(1), .item_twice = 1}, "an item stands twice"},
        {{.chip = BIT(6), .item_twice = 6}, "an item stands twice"},
        {{.chip = BIT(1), .chip_size = 15}, "wrong length"},
        {{.chip = BIT(6), .chip_size = 8}, "wrong length"},
        {{.svn = 1, .value = 256}, "no number in range"},
        {{.svn = 16, .value = 300}, "no number in range"},
        {{.svn = 17, .value = 0xfff0}, "no number in range"}, /* negative, as DER has it */
    };
    struct sgx_pck pck;
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(odds); i++)
        ck_assert_msg(parse(&odds[i].odd, &pck, &err) == -1 && strstr(err.message, odds[i].text),
                      "%zu: %s", i, odds[i].text);
}
END_TEST

/* SEQUENCE { SEQUENCE { OID .2, SEQUENCE {} } ... } and the like. */
START_TEST(an_extension_is_whole_or_refused)
{
    static const struct {
        const char *text;
        uint8_t der[32];
        size_t length;
    } extensions[] = {
        {"not a SEQUENCE", {0x31, 0}, 2},
        {"not a SEQUENCE", {0x30, 2, 0x30}, 3},
        {"not a SEQUENCE", {0x30, 0, 0}, 3},
        {"is missing", {0x30, 0}, 2},
        {"an item is not a SEQUENCE", {0x30, 2, 0x31, 0}, 4},
        {"no OID below", {0x30, 4, 0x30, 2, 0x06, 0}, 6},
        {"no OID below",
         {0x30, 13, 0x30, 11, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 13, 2},
         15},
        {"the TCB is not a SEQUENCE",
         {0x30, 14, 0x30, 12, 6, 10, 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 13, 1, 2},
         16},
        {"the TCB lacks an SVN",
         {0x30, 16, 0x30, 14, 6, 10, 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 13, 1, 2, 0x30, 0},
         18},
        {"wrong length",
         {0x30, 16, 0x30, 14, 6, 10, 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 13, 1, 3, 4, 0},
         18},
    };
    struct sgx_pck pck;
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(extensions); i++) {
        int rc = sgx_pck_parse(extensions[i].der, extensions[i].length, &pck, &err);

        ck_assert_msg(rc == -1 && strstr(err.message, extensions[i].text), "%zu: %s", i,
                      rc ? err.message : "taken");
    }
}
END_TEST

int main(void)
{
    return suite_run("sgx_pck", (const TTest *[]){
                                    an_extension_says_which_platform_it_is,
                                    an_extension_says_which_chip_it_is,
                                    an_item_that_is_odd_is_refused,
                                    an_extension_is_whole_or_refused,
                                    NULL,
                                });
}
