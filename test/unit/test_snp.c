/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "evidence/snp_roots.h"
#include "snp_fixture.h"
#include "suite.h"

static struct snp_world world;

/* Until the next call. */
__attribute__((format(printf, 1, 0))) static const char *text_of(const char *fmt, unsigned number)
{
    static char text[64];

    snprintf(text, sizeof(text), fmt, number);
    return text;
}

static void begin(void)
{
    snp_world_init(&world, SNP_MILAN, 3);
}

static void accepted(void)
{
    snp_world_seal(&world);
    snp_world_verify(&world);
    ck_assert_msg(world.verdict.failed == APPRAISAL_OK, "%s: %s", world.verdict.field,
                  world.verdict.text);
    ck_assert_mem_eq(world.verdict.measurement, world.measurement[0], SNP_MEASUREMENT_SIZE);
}

/* As it lies there, without sealing it again. */
static void judged(enum appraisal_check check, const char *field, const char *what)
{
    static const uint8_t zero[SNP_MEASUREMENT_SIZE];

    snp_world_verify(&world);
    ck_assert_msg(world.verdict.failed == check && world.verdict.field &&
                      strcmp(world.verdict.field, field) == 0 && world.verdict.text[0],
                  "%s: expected %s, is %s: %s: %s", what, field,
                  appraisal_check_name(world.verdict.failed), world.verdict.field,
                  world.verdict.text);
    ck_assert_mem_eq(world.verdict.measurement, zero, sizeof(zero));
}

static void refused(enum appraisal_check check, const char *field)
{
    snp_world_seal(&world);
    judged(check, field, field);
}

START_TEST(reports_of_every_version_and_product_are_accepted)
{
    static const struct {
        enum snp_product product;
        unsigned version;
    } all[] = {{SNP_MILAN, 2}, {SNP_GENOA, 2}, {SNP_TURIN, 2}, {SNP_MILAN, 3},
               {SNP_GENOA, 3}, {SNP_TURIN, 3}, {SNP_MILAN, 4}, {SNP_GENOA, 4},
               {SNP_TURIN, 4}, {SNP_MILAN, 5}, {SNP_GENOA, 5}, {SNP_TURIN, 5}};

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        snp_world_init(&world, all[i].product, all[i].version);
        world.policy.version_min = 2;
        accepted();
        world.leaf.wrapped = true;
        accepted();
    }
    begin();
    snp_world_vlek(&world);
    accepted();
}
END_TEST

/* One value in the report, signed as it is: exactly that is wrong. */
struct wrong {
    uint16_t at;
    uint8_t size;
    uint64_t value;
    enum appraisal_check check;
    const char *field;
};

static const struct wrong wrong_in_milan[] = {
    {0x000, 4, 0, APPRAISAL_FORMAT, "version"},
    {0x000, 4, 1, APPRAISAL_FORMAT, "version"},
    {0x000, 4, 6, APPRAISAL_FORMAT, "version"},
    {0x000, 4, 0x01000003, APPRAISAL_FORMAT, "version"},
    {0x004, 4, 4, APPRAISAL_ATTRIBUTES, "guest_svn"},
    {0x008, 8, 0xb0000, APPRAISAL_ATTRIBUTES, "policy.debug"},
    {0x008, 8, 0x70000, APPRAISAL_ATTRIBUTES, "policy.migrate_ma"},
    {0x008, 8, 0x10000, APPRAISAL_ATTRIBUTES, "policy"},
    {0x008, 8, 0x4030000, APPRAISAL_ATTRIBUTES, "policy"},
    {0x008, 8, 0x8000000000030000, APPRAISAL_ATTRIBUTES, "policy"},
    {0x008, 8, 0x30138, APPRAISAL_ATTRIBUTES, "current.version"},
    {0x008, 8, 0x30200, APPRAISAL_ATTRIBUTES, "current.version"},
    {0x030, 4, 1, APPRAISAL_ATTRIBUTES, "vmpl"},
    {0x030, 4, 3, APPRAISAL_ATTRIBUTES, "vmpl"},
    {0x030, 4, 0xffffffff, APPRAISAL_ATTRIBUTES, "vmpl"},
    {0x030, 4, 0x01000000, APPRAISAL_ATTRIBUTES, "vmpl"},
    {0x034, 4, 0, APPRAISAL_FORMAT, "signature_algo"},
    {0x034, 4, 2, APPRAISAL_FORMAT, "signature_algo"},
    {0x040, 8, 0x05, APPRAISAL_ATTRIBUTES, "platform_info"},
    {0x048, 4, 0x01, APPRAISAL_ATTRIBUTES, "author_key_digest"},
    {0x048, 4, 0x02, APPRAISAL_SIGNATURE, "signer_info.mask_chip_key"},
    {0x048, 4, 0x04, APPRAISAL_SIGNATURE, "signer_info.signing_key"},
    {0x048, 4, 0x08, APPRAISAL_SIGNATURE, "signer_info.signing_key"},
    {0x048, 4, 0x1c, APPRAISAL_SIGNATURE, "signer_info.signing_key"},
    {0x048, 4, 0x20, APPRAISAL_FORMAT, "signer_info"},
    {0x048, 4, 0x80000000, APPRAISAL_FORMAT, "signer_info"},
    {0x04c, 1, 1, APPRAISAL_FORMAT, "reserved.04c"},
    {0x04f, 1, 1, APPRAISAL_FORMAT, "reserved.04c"},
    {0x050, 1, 0, APPRAISAL_REPORT_DATA, "report_data"},
    {0x08f, 1, 0, APPRAISAL_REPORT_DATA, "report_data"},
    {0x090, 1, 0, APPRAISAL_MEASUREMENT, "measurement"},
    {0x0bf, 1, 0, APPRAISAL_MEASUREMENT, "measurement"},
    {0x0c0, 1, 0, APPRAISAL_HARDWARE_INITDATA, "host_data"},
    {0x0df, 1, 0, APPRAISAL_HARDWARE_INITDATA, "host_data"},
    {0x110, 1, 1, APPRAISAL_ATTRIBUTES, "author_key_digest"},
    {0x13f, 1, 1, APPRAISAL_ATTRIBUTES, "author_key_digest"},
    {0x180, 1, 5, APPRAISAL_SIGNATURE, "reported_tcb.bootloader"},
    {0x181, 1, 3, APPRAISAL_SIGNATURE, "reported_tcb.tee"},
    {0x182, 1, 1, APPRAISAL_FORMAT, "reported_tcb"},
    {0x185, 1, 1, APPRAISAL_FORMAT, "reported_tcb"},
    {0x186, 1, 23, APPRAISAL_SIGNATURE, "reported_tcb.snp"},
    {0x187, 1, 218, APPRAISAL_SIGNATURE, "reported_tcb.microcode"},
    {0x188, 1, 0x1a, APPRAISAL_SIGNATURE, "certificate.product"},
    {0x188, 1, 0x17, APPRAISAL_HARDWARE, "cpuid"},
    {0x189, 1, 0x20, APPRAISAL_HARDWARE, "cpuid"},
    {0x189, 1, 0x10, APPRAISAL_SIGNATURE, "certificate.product"},
    {0x18b, 1, 1, APPRAISAL_FORMAT, "reserved.18b"},
    {0x19f, 1, 1, APPRAISAL_FORMAT, "reserved.18b"},
    {0x1a0, 1, 0, APPRAISAL_SIGNATURE, "chip_id"},
    {0x1df, 1, 0, APPRAISAL_SIGNATURE, "chip_id"},
    {0x038, 1, 3, APPRAISAL_TCB, "current_tcb"},
    {0x03e, 1, 23, APPRAISAL_TCB, "current_tcb"},
    {0x03a, 1, 1, APPRAISAL_FORMAT, "current_tcb"},
    {0x1e0, 1, 3, APPRAISAL_TCB, "committed_tcb"},
    {0x1e1, 1, 1, APPRAISAL_TCB, "committed_tcb"},
    {0x1e7, 1, 216, APPRAISAL_TCB, "committed_tcb"},
    {0x1f6, 1, 23, APPRAISAL_TCB, "launch_tcb"},
    {0x1eb, 1, 1, APPRAISAL_FORMAT, "reserved.1eb"},
    {0x1ef, 1, 1, APPRAISAL_FORMAT, "reserved.1ef"},
    {0x1f8, 1, 1, APPRAISAL_FORMAT, "reserved.1f8"},
    {0x207, 1, 1, APPRAISAL_FORMAT, "reserved.1f8"},
    {0x208, 1, 1, APPRAISAL_FORMAT, "reserved.208"},
    {0x29f, 1, 1, APPRAISAL_FORMAT, "reserved.208"},
};

START_TEST(each_field_of_a_report_is_wrong_once)
{
    begin();
    for (unsigned product = 0; product < SNP_PRODUCTS; product++)
        world.policy.tcb_min[product] = world.leaf.tcb;
    world.policy.guest_svn_min = 5;
    world.policy.platform_one = BIT(5);
    accepted();
    for (size_t i = 0; i < ARRAY_LENGTH(wrong_in_milan); i++) {
        const struct wrong *wrong = &wrong_in_milan[i];
        uint8_t before[8];

        memcpy(before, world.report + wrong->at, wrong->size);
        snp_put(world.report + wrong->at, wrong->value, wrong->size);
        snp_world_sign(&world);
        judged(wrong->check, wrong->field, text_of("0x%x", wrong->at));
        memcpy(world.report + wrong->at, before, wrong->size);
    }
    accepted();
}
END_TEST

START_TEST(version_2_is_taken_only_by_a_policy_that_says_so)
{
    snp_world_init(&world, SNP_MILAN, 2);
    refused(APPRAISAL_POLICY, "version");
    world.policy.version_min = 2;
    accepted();
    world.report[0x188] = 0x19;
    refused(APPRAISAL_FORMAT, "cpuid");
    snp_world_init(&world, SNP_MILAN, 4);
    world.policy.version_min = 5;
    refused(APPRAISAL_POLICY, "version");
}
END_TEST

START_TEST(the_tcb_of_turin_has_another_layout)
{
    static const struct wrong all[] = {
        {0x180, 1, 2, APPRAISAL_SIGNATURE, "reported_tcb.fmc"},
        {0x181, 1, 5, APPRAISAL_SIGNATURE, "reported_tcb.bootloader"},
        {0x182, 1, 1, APPRAISAL_SIGNATURE, "reported_tcb.tee"},
        {0x183, 1, 25, APPRAISAL_SIGNATURE, "reported_tcb.snp"},
        {0x184, 1, 1, APPRAISAL_FORMAT, "reported_tcb"},
        {0x186, 1, 24, APPRAISAL_FORMAT, "reported_tcb"},
        {0x187, 1, 216, APPRAISAL_SIGNATURE, "reported_tcb.microcode"},
        {0x1a0, 1, 0, APPRAISAL_SIGNATURE, "chip_id"},
        {0x1a7, 1, 0, APPRAISAL_SIGNATURE, "chip_id"},
    };

    snp_world_init(&world, SNP_TURIN, 5);
    world.policy.tcb_min[SNP_TURIN] = world.leaf.tcb;
    accepted();
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        uint8_t before = world.report[all[i].at];

        world.report[all[i].at] = (uint8_t) all[i].value;
        snp_world_sign(&world);
        judged(all[i].check, all[i].field, text_of("0x%x", all[i].at));
        world.report[all[i].at] = before;
    }
    world.policy.tcb_min[SNP_TURIN].fmc = 2;
    refused(APPRAISAL_TCB, "reported_tcb");
}
END_TEST

START_TEST(a_report_has_exactly_its_size)
{
    struct snp_report report;
    uint8_t longer[SNP_REPORT_SIZE + 1] = {3};

    begin();
    for (size_t size = 0; size <= sizeof(longer); size++) {
        if (size == SNP_REPORT_SIZE)
            continue;
        ck_assert_int_eq(snp_report_parse(longer, size, &report, &world.verdict), -1);
        ck_assert_int_eq(world.verdict.failed, APPRAISAL_FORMAT);
        ck_assert_str_eq(world.verdict.field, "report");
    }
}
END_TEST

START_TEST(every_bit_that_is_signed_matters)
{
    begin();
    world.policy.skip = SNP_SKIP_MEASUREMENT | SNP_SKIP_HOST_DATA;
    accepted();
    /* Fields that no other check looks at before. */
    for (size_t at = 0x010; at < 0x030; at += 5) {
        world.report[at] ^= 1;
        judged(APPRAISAL_SIGNATURE, "signature", "family_id or image_id");
        world.report[at] ^= 1;
    }
    for (size_t at = 0x050; at < 0x110; at += 7) {
        world.report[at] ^= 0x80;
        judged(APPRAISAL_SIGNATURE, "signature", "a digest");
        world.report[at] ^= 0x80;
    }
    world.report[0x2a0] ^= 1;
    judged(APPRAISAL_SIGNATURE, "signature", "r");
    world.report[0x2a0] ^= 1;
    world.report[0x2a0 + 72 + 47] ^= 1;
    judged(APPRAISAL_SIGNATURE, "signature", "s");
}
END_TEST

START_TEST(a_signature_has_no_bytes_that_say_nothing)
{
    static const struct {
        uint16_t at;
        const char *field;
    } all[] = {{0x2d0, "signature.r"},        {0x2e7, "signature.r"},
               {0x318, "signature.s"},        {0x32f, "signature.s"},
               {0x330, "signature.reserved"}, {0x49f, "signature.reserved"}};

    begin();
    accepted();
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        world.report[all[i].at] = 1;
        judged(APPRAISAL_FORMAT, all[i].field, all[i].field);
        world.report[all[i].at] = 0;
    }
    memset(world.report + 0x2a0, 0, 512);
    judged(APPRAISAL_SIGNATURE, "signature", "all zero");
    snp_world_sign(&world);
    for (size_t i = 0; i < 24; i++) { /* r the other way round */
        uint8_t byte = world.report[0x2a0 + i];

        world.report[0x2a0 + i] = world.report[0x2a0 + 47 - i];
        world.report[0x2a0 + 47 - i] = byte;
    }
    judged(APPRAISAL_SIGNATURE, "signature", "big-endian");
}
END_TEST

START_TEST(a_report_by_another_key_is_refused)
{
    begin();
    world.signer = &world.other_key;
    refused(APPRAISAL_SIGNATURE, "signature");
    begin();
    x509_key_ec(&world.vek_key, MBEDTLS_ECP_DP_SECP256R1);
    world.signer = &world.other_key;
    refused(APPRAISAL_SIGNATURE, "VCEK");
}
END_TEST

START_TEST(the_chain_ends_at_a_key_that_is_trusted)
{
    struct der root = {0};

    begin();
    snp_world_seal(&world);
    world.roots[0] = '\0'; /* AMD's own: this one has only their name */
    judged(APPRAISAL_SIGNATURE, "ARK", "a root of the same name");
    world.root.key = world.root.issuer_key = &world.other_key;
    x509_make(&world.root, &root);
    x509_pem(&root, world.roots, sizeof(world.roots));
    judged(APPRAISAL_SIGNATURE, "ASK", "another root of the same name");
    snp_world_init(&world, SNP_MILAN, 3);
    snp_world_seal(&world);
    world.issuers[0] = '\0';
    judged(APPRAISAL_FORMAT, "issuers", "no issuers");
    snprintf(world.issuers, sizeof(world.issuers), "%s", world.roots);
    judged(APPRAISAL_SIGNATURE, "ASK", "no ASK");
    snp_world_seal(&world);
    *strstr(world.issuers + 1, "-----BEGIN") = '\0';
    snp_world_verify(&world);
    ck_assert_int_eq(world.verdict.failed, APPRAISAL_OK); /* an ASK without its ARK */
    snprintf(world.roots, sizeof(world.roots), "%s", world.issuers);
    judged(APPRAISAL_SIGNATURE, "ARK", "no ARK");
    snprintf(world.roots, sizeof(world.roots), "nothing");
    judged(APPRAISAL_FORMAT, "roots", "no roots");
}
END_TEST

START_TEST(the_roots_that_are_built_in_are_amds)
{
    static const char *const keys[] = {
        "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9",
        "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831",
        "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08",
    };
    const struct chain_bytes pem = {(const uint8_t *) snp_amd_roots, strlen(snp_amd_roots)};
    scoped(chain_bundle_fini) struct chain_bundle roots = {0};
    struct evidence_verdict verdict;
    uint8_t spki[CHAIN_SPKI_SIZE];
    char hex[2 * CHAIN_SPKI_SIZE + 1];

    ck_assert_int_eq(chain_parse_pem("roots", pem, &roots, &verdict), 0);
    ck_assert_uint_eq(roots.count, ARRAY_LENGTH(keys));
    for (size_t i = 0; i < roots.count; i++) {
        chain_spki(roots.certificates[i], spki);
        hex_encode(spki, sizeof(spki), hex);
        ck_assert_str_eq(hex, keys[i]);
        ck_assert_int_eq(chain_verify_link(roots.certificates[i], roots.certificates[i], &verdict),
                         0);
    }
}
END_TEST

START_TEST(what_is_not_authentic_is_refused_for_that)
{
    snp_world_init(&world, SNP_MILAN, 2);
    world.signer = &world.other_key;
    refused(APPRAISAL_SIGNATURE, "signature");
    begin();
    snp_world_vlek(&world);
    world.policy.keys = BIT(SNP_VCEK);
    world.vek.issuer_key = &world.other_key;
    refused(APPRAISAL_SIGNATURE, "VLEK");
}
END_TEST

START_TEST(certificates_of_the_chain_are_judged)
{
    begin();
    world.vek.to = "20250531235959Z";
    refused(APPRAISAL_SIGNATURE, "VCEK");
    begin();
    world.ask.to = "20250531235959Z";
    refused(APPRAISAL_SIGNATURE, "ASK");
    begin();
    world.root.to = "20250531235959Z";
    refused(APPRAISAL_SIGNATURE, "ARK");
    begin();
    world.vek.issuer_key = &world.other_key;
    refused(APPRAISAL_SIGNATURE, "VCEK");
    begin();
    world.ask.ca = X509_LEAF;
    refused(APPRAISAL_SIGNATURE, "ASK");
    begin();
    world.vek.version = 1;
    refused(APPRAISAL_FORMAT, "VCEK");
    begin();
    x509_make_crl("ARK-Milan", &world.root_key, 0x101, "20260101000000Z", &world.crl);
    refused(APPRAISAL_SIGNATURE, "ASK");
    x509_make_crl("ARK-Milan", &world.root_key, 0x102, "20260101000000Z", &world.crl);
    accepted();
    world.crl.size--;
    judged(APPRAISAL_FORMAT, "CRL", "a list that is cut");
}
END_TEST

START_TEST(a_policy_can_demand_the_revocation_list)
{
    begin();
    world.crl.size = 0;
    accepted();
    world.policy.crl = SNP_CRL_REQUIRED;
    refused(APPRAISAL_SIGNATURE, "crl_missing");
    x509_make_crl("ARK-Milan", &world.root_key, 0x102, "20260101000000Z", &world.crl);
    accepted();
}
END_TEST

START_TEST(a_key_is_of_the_kind_that_the_report_names)
{
    begin();
    world.policy.keys = BIT(SNP_VCEK) | BIT(SNP_VLEK);
    snp_put(world.report + 0x048, 1 << 2, 4);
    refused(APPRAISAL_SIGNATURE, "signer_info.signing_key");
    begin();
    snp_world_vlek(&world);
    world.policy.keys = BIT(SNP_VCEK) | BIT(SNP_VLEK);
    snp_put(world.report + 0x048, 0, 4);
    refused(APPRAISAL_SIGNATURE, "signer_info.signing_key");
    begin();
    snp_world_vlek(&world);
    world.policy.keys = BIT(SNP_VCEK);
    refused(APPRAISAL_POLICY, "signer_info.signing_key");
    begin();
    world.ask.subject = world.vek.issuer = "SEV-VLEK-Milan"; /* an ASVK makes no VCEK */
    refused(APPRAISAL_SIGNATURE, "certificate.issuer");
    begin();
    snp_world_vlek(&world);
    world.ask.subject = world.vek.issuer = "SEV-Milan";
    refused(APPRAISAL_SIGNATURE, "certificate.issuer");
    begin();
    world.vek.subject = "VCEK";
    refused(APPRAISAL_SIGNATURE, "certificate.subject");
}
END_TEST

START_TEST(extensions_that_are_missing_are_missed)
{
    static const struct {
        uint8_t arc;
        const char *field;
    } all[] = {{1, "certificate.tcb.bootloader"},
               {2, "certificate.tcb.tee"},
               {3, "certificate.tcb.snp"},
               {8, "certificate.tcb.microcode"},
               {9, "certificate.tcb.fmc"}};

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        snp_world_init(&world, SNP_TURIN, 5);
        world.leaf.without = all[i].arc;
        refused(APPRAISAL_FORMAT, all[i].field);
    }
    begin();
    world.leaf.product = NULL;
    refused(APPRAISAL_FORMAT, "certificate.product");
    begin();
    world.leaf.hwid_size = 0;
    refused(APPRAISAL_FORMAT, "certificate.hwid");
    begin();
    snp_world_vlek(&world);
    world.leaf.csp_id = NULL;
    refused(APPRAISAL_FORMAT, "certificate.csp_id");
}
END_TEST

START_TEST(extensions_that_do_not_belong_there_are_refused)
{
    begin();
    world.leaf.csp_id = "CN=cloud.example";
    refused(APPRAISAL_FORMAT, "certificate.csp_id");
    begin();
    snp_world_vlek(&world);
    world.leaf.hwid_size = 64;
    refused(APPRAISAL_FORMAT, "certificate.hwid");
    begin();
    world.leaf.fmc = 0;
    refused(APPRAISAL_FORMAT, "certificate.tcb.fmc");
}
END_TEST

/* The microcode's extension by hand. */
static void microcode_is(const void *value, size_t size)
{
    struct der oid;

    begin();
    world.leaf.without = 8;
    snp_arc(3, 8, &oid);
    x509_extension(&world.leaf.raw, &oid, false, value, size);
}

START_TEST(numbers_are_written_in_the_one_way)
{
    microcode_is("\x02\x02\x00\xd9", 4);
    accepted();
    microcode_is("\x02\x01\xd9", 3); /* negative */
    refused(APPRAISAL_FORMAT, "certificate.tcb.microcode");
    microcode_is("\x02\x02\x00\x19", 4);
    refused(APPRAISAL_FORMAT, "certificate.tcb.microcode");
    microcode_is("\x02\x02\x01\xd9", 4);
    refused(APPRAISAL_FORMAT, "certificate.tcb.microcode");
    microcode_is("\x02\x03\x00\x00\xd9", 5);
    refused(APPRAISAL_FORMAT, "certificate.tcb.microcode");
    microcode_is("\xd9", 1);
    refused(APPRAISAL_FORMAT, "certificate.tcb.microcode");
    microcode_is("", 0);
    refused(APPRAISAL_FORMAT, "certificate.tcb.microcode");
    microcode_is("\x02\x02\x00\xd8", 4);
    refused(APPRAISAL_SIGNATURE, "reported_tcb.microcode");
}
END_TEST

static void product_is(const void *value, size_t size)
{
    struct der oid;

    begin();
    world.leaf.product = NULL;
    snp_arc(2, 0, &oid);
    x509_extension(&world.leaf.raw, &oid, false, value, size);
}

START_TEST(names_are_short_strings_of_ia5)
{
    char text[72];

    product_is("\x16\x05Milan", 7);
    accepted();
    product_is("\x0c\x05Milan", 7); /* UTF8String */
    refused(APPRAISAL_FORMAT, "certificate.product");
    product_is("\x16\x06Milan", 7);
    refused(APPRAISAL_FORMAT, "certificate.product");
    product_is("\x16\x04Milan", 7);
    refused(APPRAISAL_FORMAT, "certificate.product");
    product_is("\x16\x06Milan\0", 8);
    refused(APPRAISAL_FORMAT, "certificate.product");
    product_is("Milan", 5);
    refused(APPRAISAL_FORMAT, "certificate.product");
    product_is("\x16", 1);
    refused(APPRAISAL_FORMAT, "certificate.product");
    memset(text, '-', sizeof(text));
    memcpy(text, "\x16\x40Milan", 7);
    product_is(text, 66);
    refused(APPRAISAL_FORMAT, "certificate.product");
    text[1] = 0x3f;
    product_is(text, 65);
    accepted();
}
END_TEST

START_TEST(reserved_components_are_zero)
{
    struct der number = {0}, oid;

    for (uint8_t arc = 4; arc <= 7; arc++) {
        begin();
        world.leaf.without = arc;
        snp_arc(3, arc, &oid);
        number.size = 0;
        der_number(&number, 1);
        x509_extension(&world.leaf.raw, &oid, false, number.data, number.size);
        refused(APPRAISAL_FORMAT, text_of("certificate.tcb.spl%u", arc));
    }
}
END_TEST

START_TEST(a_hwid_has_the_size_of_its_product)
{
    static const size_t sizes[] = {1, 8, 63, 65, 66, 67};

    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        begin();
        world.leaf.hwid_size = sizes[i];
        refused(APPRAISAL_FORMAT, "certificate.hwid");
    }
    snp_world_init(&world, SNP_TURIN, 5);
    world.leaf.hwid_size = 64;
    refused(APPRAISAL_FORMAT, "certificate.hwid");
    begin();
    world.leaf.hwid[63] ^= 1;
    refused(APPRAISAL_SIGNATURE, "chip_id");
    begin();
    memset(world.report + 0x1a0, 0, 64); /* masked */
    refused(APPRAISAL_SIGNATURE, "chip_id");
}
END_TEST

START_TEST(a_product_is_one_that_is_known)
{
    begin();
    world.leaf.product = "Rome";
    refused(APPRAISAL_HARDWARE, "certificate.product");
    world.leaf.product = "Milano";
    refused(APPRAISAL_HARDWARE, "certificate.product");
    world.leaf.product = "";
    refused(APPRAISAL_HARDWARE, "certificate.product");
    world.leaf.product = "Genoa"; /* not what issued it */
    refused(APPRAISAL_SIGNATURE, "certificate.issuer");
    snp_world_init(&world, SNP_GENOA, 3);
    world.leaf.product = "Siena-A0";
    accepted();
    world.leaf.product = "Bergamo";
    accepted();
    begin();
    world.leaf.product = "Siena-A0"; /* Milan did not issue it */
    refused(APPRAISAL_SIGNATURE, "certificate.issuer");
}
END_TEST

START_TEST(lists_of_hardware_are_kept)
{
    static uint8_t chips[2][SNP_CHIP_ID_SIZE];
    static const char *const clouds[] = {"CN=other.example", "CN=cloud.example", NULL};

    begin();
    world.policy.chips = (const uint8_t(*)[SNP_CHIP_ID_SIZE]) chips;
    world.policy.chip_count = 2;
    refused(APPRAISAL_HARDWARE, "chip_id");
    memcpy(chips[1], world.report + 0x1a0, sizeof(chips[1]));
    accepted();
    begin();
    world.policy.products = BIT(SNP_GENOA) | BIT(SNP_TURIN);
    refused(APPRAISAL_HARDWARE, "product");
    begin();
    snp_world_vlek(&world);
    world.policy.csp_ids = clouds + 2;
    refused(APPRAISAL_HARDWARE, "certificate.csp_id");
    world.policy.csp_ids = clouds;
    accepted();
    memset(chips, 0, sizeof(chips)); /* what a masked chip_id is */
    world.policy.chips = (const uint8_t(*)[SNP_CHIP_ID_SIZE]) chips;
    world.policy.chip_count = 2;
    refused(APPRAISAL_HARDWARE, "chip_id");
}
END_TEST

START_TEST(author_keys_are_listed)
{
    static uint8_t keys[1][SNP_KEY_DIGEST_SIZE];

    begin();
    memset(world.report + 0x110, 0x11, 48);
    snp_put(world.report + 0x048, 1, 4);
    refused(APPRAISAL_ATTRIBUTES, "author_key_digest");
    memset(keys, 0x11, sizeof(keys));
    world.policy.author_keys = (const uint8_t(*)[SNP_KEY_DIGEST_SIZE]) keys;
    world.policy.author_key_count = 1;
    accepted();
    keys[0][47] = 0;
    refused(APPRAISAL_ATTRIBUTES, "author_key_digest");
}
END_TEST

START_TEST(the_strict_policy_wants_reference_values)
{
    begin();
    world.policy = snp_policy_strict;
    refused(APPRAISAL_MEASUREMENT, "measurement");
    world.policy.skip = SNP_SKIP_MEASUREMENT;
    refused(APPRAISAL_HARDWARE_INITDATA, "host_data");
    memset(world.report + 0x0c0, 0, 32);
    accepted();
    world.policy.skip = SNP_SKIP_HOST_DATA;
    refused(APPRAISAL_MEASUREMENT, "measurement");
}
END_TEST

START_TEST(a_policy_asks_for_more)
{
    begin();
    world.policy.policy_zero |= SNP_POLICY_SMT;
    refused(APPRAISAL_ATTRIBUTES, "policy.smt");
    begin();
    world.policy.policy_one = SNP_POLICY_SINGLE_SOCKET;
    refused(APPRAISAL_ATTRIBUTES, "policy.single_socket");
    begin();
    world.policy.policy_one = SNP_POLICY_CIPHERTEXT;
    refused(APPRAISAL_ATTRIBUTES, "policy.ciphertext_hiding");
    begin();
    world.policy.policy_one = UINT64_C(1) << 40;
    refused(APPRAISAL_ATTRIBUTES, "policy");
    begin();
    world.policy.abi_major_min = 1;
    world.policy.abi_minor_min = 55;
    refused(APPRAISAL_ATTRIBUTES, "policy.abi");
    snp_put(world.report + 0x008, 0x30136, 8);
    refused(APPRAISAL_ATTRIBUTES, "policy.abi");
    snp_put(world.report + 0x008, 0x30137, 8);
    accepted();
    begin();
    world.policy.vmpl = 2;
    refused(APPRAISAL_ATTRIBUTES, "vmpl");
    world.report[0x030] = 2;
    accepted();
}
END_TEST

int main(void)
{
    return suite_run("snp", (const TTest *[]){
                                reports_of_every_version_and_product_are_accepted,
                                each_field_of_a_report_is_wrong_once,
                                version_2_is_taken_only_by_a_policy_that_says_so,
                                the_tcb_of_turin_has_another_layout,
                                a_report_has_exactly_its_size,
                                every_bit_that_is_signed_matters,
                                a_signature_has_no_bytes_that_say_nothing,
                                a_report_by_another_key_is_refused,
                                the_chain_ends_at_a_key_that_is_trusted,
                                the_roots_that_are_built_in_are_amds,
                                what_is_not_authentic_is_refused_for_that,
                                certificates_of_the_chain_are_judged,
                                a_policy_can_demand_the_revocation_list,
                                a_key_is_of_the_kind_that_the_report_names,
                                extensions_that_are_missing_are_missed,
                                extensions_that_do_not_belong_there_are_refused,
                                numbers_are_written_in_the_one_way,
                                names_are_short_strings_of_ia5,
                                reserved_components_are_zero,
                                a_hwid_has_the_size_of_its_product,
                                a_product_is_one_that_is_known,
                                lists_of_hardware_are_kept,
                                author_keys_are_listed,
                                the_strict_policy_wants_reference_values,
                                a_policy_asks_for_more,
                                NULL,
                            });
}
