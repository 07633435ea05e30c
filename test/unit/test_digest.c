/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/digest.h"
#include "base/hex.h"
#include "base/scoped.h"

static void expect(const uint8_t *digest, size_t size, const char *hex)
{
    char text[2 * SHA512_SIZE + 1];

    hex_encode(digest, size, text);
    ck_assert_str_eq(text, hex);
}

START_TEST(known_answers_of_fips_180)
{
    uint8_t value[SHA512_SIZE];

    digest_sha512("abc", 3, value);
    expect(value, SHA512_SIZE,
           "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
           "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    digest_sha256("abc", 3, value);
    expect(value, SHA256_SIZE, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256(NULL, 0, value);
    expect(value, SHA256_SIZE, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_sha384("abc", 3, value);
    expect(value, SHA384_SIZE,
           "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
           "8086072ba1e7cc2358baeca134c825a7");
    digest_sha384("", 0, value);
    expect(value, SHA384_SIZE,
           "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
           "274edebfe76f65fbd51ad2f14898b95b");
}
END_TEST

START_TEST(pieces_give_the_value_of_the_whole)
{
    static const char text[] = "the quick brown fox jumps over the lazy dog, and over again";
    uint8_t whole[SHA384_SIZE], pieces[SHA384_SIZE];

    for (int type = DIGEST_SHA256; type <= DIGEST_SHA384; type++) {
        scoped(digest_freep) struct digest *digest = digest_new((enum digest_type) type);
        size_t size = type == DIGEST_SHA256 ? SHA256_SIZE : SHA384_SIZE;

        for (size_t i = 0; i < strlen(text); i++) {
            digest_update(digest, text + i, 1);
            digest_value(digest, pieces); /* reading it does not end it */
            if (type == DIGEST_SHA256)
                digest_sha256(text, i + 1, whole);
            else
                digest_sha384(text, i + 1, whole);
            ck_assert_mem_eq(whole, pieces, size);
        }
    }
}
END_TEST

/* Byte by byte it is the library's work alone; what is longer may be the processor's. */
START_TEST(long_pieces_give_what_single_bytes_give)
{
    uint8_t data[400], bytewise[SHA256_SIZE], pieces[SHA256_SIZE];

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t) (i * 31 + i / 7);
    for (size_t length = 0; length <= sizeof(data); length++) {
        scoped(digest_freep) struct digest *slow = digest_new(DIGEST_SHA256);

        for (size_t i = 0; i < length; i++)
            digest_update(slow, data + i, 1);
        digest_value(slow, bytewise);
        for (size_t cut = 0; cut <= length; cut += 13) {
            scoped(digest_freep) struct digest *fast = digest_new(DIGEST_SHA256);

            digest_update(fast, data, cut);
            digest_update(fast, data + cut, length - cut);
            digest_value(fast, pieces);
            ck_assert_mem_eq(bytewise, pieces, sizeof(pieces));
        }
    }
}
END_TEST

/* Of many blocks, in one piece and in pieces of every length up to three blocks: a million times
 * "a", and the longer examples of FIPS 180. */
START_TEST(known_answers_of_many_blocks)
{
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const char million[] =
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    scoped(freep) uint8_t *data = xalloc(1000000 + 64);
    uint8_t value[SHA384_SIZE];

    digest_sha256(two, strlen(two), value);
    expect(value, SHA256_SIZE, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(data, 'a', 1000000 + 64);
    for (size_t from = 0; from < 64; from += 7) { /* at any address */
        digest_sha256(data + from, 1000000, value);
        expect(value, SHA256_SIZE, million);
    }
    for (size_t piece = 1; piece <= 192; piece += 19) {
        scoped(digest_freep) struct digest *digest = digest_new(DIGEST_SHA256);

        for (size_t done = 0; done < 1000000; done += piece)
            digest_update(digest, data, done + piece < 1000000 ? piece : 1000000 - done);
        digest_value(digest, value);
        expect(value, SHA256_SIZE, million);
    }
}
END_TEST

int main(void)
{
    return suite_run("digest", (const TTest *[]){known_answers_of_fips_180,
                                                 pieces_give_the_value_of_the_whole,
                                                 long_pieces_give_what_single_bytes_give,
                                                 known_answers_of_many_blocks, NULL});
}
