/* SPDX-License-Identifier: Apache-2.0 */
/* cleave policy check: is a file of reference values well-formed, signed and of this time, and what
 * does it demand? What it leaves open is said as loudly as what it fixes. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/error.h"
#include "base/text.h"
#include "evidence/reference_values.h"
#include "reference_file.h"
#include "verbs.h"

enum { PCR_INITDATA = 8 };

static int usage(FILE *to)
{
    fputs("Usage: cleave policy check FILE [--key PEM]\n\n"
          "Reads a file of reference values (docs/reference-values.md) as strictly as a tenant's "
          "node does,\n"
          "and says in words what it demands. `open:` is what it does not judge.\n\n"
          "  --key PEM  public keys, one of which must have signed the file: FILE.sig\n\n"
          "Exit code: 0 it is good, 1 it is not (wrong, not signed, expired), 2 the command line "
          "was wrong.\n",
          to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static void say_list(const char *what, size_t count, const char *open)
{
    if (count)
        printf("  %s: one of %zu\n", what, count);
    else
        printf("  open: %s\n", open);
}

static void say_floor(const struct snp_policy *snp, unsigned product)
{
    const struct snp_tcb *min = &snp->tcb_min[product];

    if (!min->fmc && !min->bootloader && !min->tee && !min->snp && !min->microcode) {
        printf("  open: %s with any firmware, however old\n", snp_product_name(product));
        return;
    }
    printf("  %s: firmware not older than bootloader %u, tee %u, snp %u, microcode %u",
           snp_product_name(product), min->bootloader, min->tee, min->snp, min->microcode);
    if (product == SNP_TURIN)
        printf(", fmc %u", min->fmc);
    printf("\n");
}

static void say_snp(const struct snp_policy *snp)
{
    say_list("measurement", snp->measurement_count, "");
    for (unsigned product = 0; product < SNP_PRODUCTS; product++)
        if (snp->products & BIT(product))
            say_floor(snp, product);
    say_list("chip", snp->chip_count, "any chip of these products");
    if (snp->keys & BIT(SNP_VLEK))
        printf("  open: a key that a cloud holds (VLEK), which names no chip\n");
    printf("  the guest's policy: without 0x%" PRIx64 ", with 0x%" PRIx64 ", ABI %u.%u or newer\n",
           snp->policy_zero, snp->policy_one, snp->abi_major_min, snp->abi_minor_min);
    printf("  VMPL %u, report version %u or newer, guest SVN %u or higher\n", snp->vmpl,
           snp->version_min, snp->guest_svn_min);
    if (snp->platform_one)
        printf("  the platform: with 0x%" PRIx64 "\n", snp->platform_one);
    if (snp->author_key_count)
        printf("  author key: one of %zu\n", snp->author_key_count);
    printf(snp->crl == SNP_CRL_REQUIRED ? "  AMD's revocation list has to be there\n"
                                        : "  open: revocation, where there is no list of AMD's\n");
}

static void say_status(const struct tdx_policy *tdx)
{
    printf("  TCB status: UpToDate");
    for (unsigned status = 0; status < TDX_STATUSES; status++)
        if (status != TDX_UP_TO_DATE && tdx->also_accepted & BIT(status))
            printf(" or %s", tdx_status_name(status));
    printf(tdx->collateral == TDX_COLLATERAL_REQUIRED
               ? "; Intel's collateral has to be there\n"
               : "\n  open: TCB status and revocation, where there is no collateral\n");
}

static void say_tdx(const struct tdx_policy *tdx)
{
    say_list("mr_td", tdx->mr_td.count, "");
    for (size_t i = 0; i < TDX_RTMRS; i++) {
        char name[8];

        (void) snprintf(name, sizeof(name), "rtmr%zu", i);
        say_list(name, tdx->rtmr[i].count, name);
    }
    say_list("mr_seam", tdx->mr_seam.count, "any TDX module of Intel's");
    say_list("family (fmspc)", tdx->fmspc_count, "any family of platforms");
    say_list("chip", tdx->chip_count, "any chip");
    if (tdx->attributes)
        printf("  attributes: 0x%" PRIx64 " under the mask 0x%" PRIx64 ", no debug\n",
               tdx->attributes->value, tdx->attributes->mask);
    else
        printf("  attributes: SEPT_VE_DISABLE, PKS and Key Locker free, no debug, nothing else\n");
    say_status(tdx);
    if (!tdx->svn_floor)
        printf("  open: any tee_tcb_svn\n");
}

/* judged: by something else than this file. */
static void say_pcrs(const struct reference_tpm *tpm, uint32_t judged)
{
    const char *before = "  open: any value of PCR ";

    for (unsigned i = 0; i < REGISTERS_MAX; i++)
        if (tpm->pcrs.set & BIT(i))
            printf("  PCR %u: one of %zu\n", i, tpm->pcrs.lists[i].count);
    for (unsigned i = 0; i < REGISTERS_MAX; i++) {
        if ((tpm->pcrs.set | judged) & BIT(i))
            continue;
        printf("%s%u", before, i);
        before = ", ";
    }
    if (before[0] == ',')
        printf("\n");
}

static void say_tpm(const struct reference_tpm *tpm)
{
    printf("  open: a TPM that the host runs says what the host wants it to say\n");
    if (tpm->keys == REFERENCE_KEYS_ANY)
        printf("  open: any attestation key\n");
    else
        printf("  attestation key: one of %zu\n", tpm->enrolled_count);
    say_pcrs(tpm, BIT(PCR_INITDATA));
    if (!(tpm->pcrs.set & BIT(PCR_INITDATA)))
        printf("  PCR %d: what the pod's initdata gives, by the tenant's node alone\n",
               PCR_INITDATA);
}

static void say_azure(const char *name, const struct reference_azure *azure)
{
    if (!azure)
        return;
    printf("%s\n", name);
    if (azure->snp)
        say_snp(azure->snp);
    if (azure->tdx)
        say_tdx(azure->tdx);
    say_pcrs(&azure->tpm, 0);
}

static void say(const struct reference_values *values)
{
    const char *pod;
    uint64_t min = 0;

    if (reference_values_snp(values)) {
        printf("snp\n");
        say_snp(reference_values_snp(values));
    }
    if (reference_values_tdx(values)) {
        printf("tdx\n");
        say_tdx(reference_values_tdx(values));
    }
    if (reference_values_tpm(values)) {
        printf("tpm\n");
        say_tpm(reference_values_tpm(values));
    }
    say_azure("az-snp-vtpm", reference_values_az_snp(values));
    say_azure("az-tdx-vtpm", reference_values_az_tdx(values));
    if (reference_values_revoked_count(values))
        printf("revoked: %zu digests, wherever they appear\n",
               reference_values_revoked_count(values));
    for (size_t i = 0; (pod = reference_values_epoch_at(values, i, &min)); i++)
        printf("pod %s: epoch %" PRIu64 " or higher\n", pod, min);
}

static int check(const char *file, const char *key)
{
    scoped(reference_values_freep) struct reference_values *values = NULL;
    char until[DATE_SIZE];
    struct error err;

    if (reference_file_load(file, key, &values, &err) < 0) {
        fprintf(stderr, "cleave policy: %s\n", err.message);
        return EXIT_FAILURE;
    }
    date_print(reference_values_not_after(values), until);
    printf("%s, serial %" PRIu64 ", until %s, %s\n", reference_values_id(values),
           reference_values_serial(values), until,
           key ? "signed" : "signature not looked at (--key)");
    say(values);
    if (clock_wall_ns() / 1000000000 <= reference_values_not_after(values))
        return EXIT_SUCCESS;
    fprintf(stderr, "cleave policy: '%s' has expired on %s\n", file, until);
    return EXIT_FAILURE;
}

int policy_main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"key", required_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *key = NULL;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == 'h')
            return usage(stdout);
        if (option != 'k')
            return usage(stderr);
        key = optarg;
    }
    if (argc - optind != 2 || !text_equal(argv[optind], "check"))
        return usage(stderr);
    return check(argv[optind + 1], key);
}
