/* SPDX-License-Identifier: Apache-2.0 */
#include "uuid.h"

#include <string.h>

#include "base/scoped.h"
#include "base/text.h"
#include "suite.h"

#define NODE  "00112233445566778899aabbccddeeff"
#define OTHER "ff112233445566778899aabbccddeeff"

START_TEST(a_uuid_follows_from_node_and_name)
{
    char first[UUID_SIZE], again[UUID_SIZE], other[UUID_SIZE];

    uuid_of_machine(NODE, "cleave-a1", first);
    uuid_of_machine(NODE, "cleave-a1", again);
    ck_assert_str_eq(first, again);
    uuid_of_machine(NODE, "cleave-a2", other);
    ck_assert_str_ne(first, other);
    uuid_of_machine(OTHER, "cleave-a1", other);
    ck_assert_str_ne(first, other);
}
END_TEST

/* Version 8, variant 10: libvirt takes any, others may look. */
START_TEST(it_is_a_uuid)
{
    for (int i = 0; i < 64; i++) {
        scoped(freep) char *name = xformat("cleave-%d", i);
        char uuid[UUID_SIZE];

        uuid_of_machine(NODE, name, uuid);
        ck_assert_uint_eq(strlen(uuid), 36);
        ck_assert_uint_eq(strspn(uuid, "0123456789abcdef-"), 36);
        ck_assert(uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-');
        ck_assert(uuid[14] == '8' && strchr("89ab", uuid[19]));
    }
}
END_TEST

START_TEST(a_node_knows_its_own)
{
    char uuid[UUID_SIZE];

    uuid_of_machine(NODE, "cleave-a1", uuid);
    ck_assert(uuid_is_of_node(uuid, NODE));
    ck_assert(!uuid_is_of_node(uuid, OTHER));
    ck_assert(!uuid_is_of_node("..", NODE));
    ck_assert(!uuid_is_of_node("4dea22b3-1d52-d8f3-2516-782e98ab3fa0", NODE));
    uuid[UUID_SIZE - 2] = '\0';
    ck_assert(!uuid_is_of_node(uuid, NODE));
}
END_TEST

int main(void)
{
    return suite_run("uuid", (const TTest *[]){a_uuid_follows_from_node_and_name, it_is_a_uuid,
                                               a_node_knows_its_own, NULL});
}
