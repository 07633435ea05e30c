/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Certificate chains of hardware vendors. Stricter than a web client's: every certificate is X.509
 * v3, nothing stands behind it, unknown critical extensions and repeated ones are refused, and what
 * is trusted is a key (the SHA-256 of its SPKI), never a name: vendors use one name for several
 * roots. Time is an argument. Functions that can fail return 0 or -1 and fill the verdict on
 * failure: APPRAISAL_FORMAT for what cannot be read, APPRAISAL_SIGNATURE for what does not hold. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "evidence/evidence.h"
#include "evidence/signature.h"

enum {
    CHAIN_CERTIFICATE_MAX = 8192, /* bytes of DER */
    CHAIN_BUNDLE_MAX = 64 * 1024, /* bytes of PEM */
    CHAIN_CRL_MAX = 1024 * 1024,  /* bytes of DER */
    CHAIN_LENGTH_MAX = 8,         /* certificates of a bundle or a path */
    CHAIN_SPKI_SIZE = 32,
};

struct chain_certificate;
struct chain_crl;

struct chain_bundle {
    struct chain_certificate *certificates[CHAIN_LENGTH_MAX];
    size_t count;
};

struct chain_path {
    const struct chain_certificate *certificates[CHAIN_LENGTH_MAX]; /* leaf first, root last */
    size_t count;
    const uint8_t (*roots)[CHAIN_SPKI_SIZE]; /* keys that are trusted */
    size_t root_count;
    const struct chain_crl *const *crls; /* each must be that of an issuer in the path */
    size_t crl_count;
    int64_t time; /* unix seconds */
};

/* The name is what verdicts call it ("VCEK"), and their field; static. The bytes are copied. */
int chain_parse_der(const char *name, struct chain_bytes der, struct chain_certificate **ret,
                    struct evidence_verdict *verdict) must_check;
/* Certificates between BEGIN and END lines, white space around them and nothing else; NUL bytes at
 * the very end are taken. All get the same name. */
int chain_parse_pem(const char *name, struct chain_bytes pem, struct chain_bundle *ret,
                    struct evidence_verdict *verdict) must_check;
void chain_free(struct chain_certificate *certificate);
SCOPED_PTR(struct chain_certificate, chain_free)
void chain_bundle_fini(struct chain_bundle *bundle);
int chain_parse_crl(const char *name, struct chain_bytes der, struct chain_crl **ret,
                    struct evidence_verdict *verdict) must_check;
void chain_crl_free(struct chain_crl *crl);
SCOPED_PTR(struct chain_crl, chain_crl_free)

void chain_rename(struct chain_certificate *certificate, const char *name);
/* SHA-256 of the SubjectPublicKeyInfo. */
void chain_spki(const struct chain_certificate *certificate, uint8_t ret[CHAIN_SPKI_SIZE]);
bool chain_is_root(const struct chain_certificate *certificate,
                   const uint8_t (*roots)[CHAIN_SPKI_SIZE], size_t root_count);
/* By name alone, to find a candidate: chain_verify_link() says whether it is one. */
bool chain_names_issuer(const struct chain_certificate *certificate,
                        const struct chain_certificate *issuer);
/* x || y of a key on this curve. */
int chain_public_key(const struct chain_certificate *certificate, enum signature_curve curve,
                     uint8_t ret[2 * SIGNATURE_COORDINATE_MAX],
                     struct evidence_verdict *verdict) must_check;
/* The content of an extension by its OID (DER, without tag and length); false: there is none. */
bool chain_extension(const struct chain_certificate *certificate, struct chain_bytes oid,
                     struct chain_bytes *ret);
/* The first common name of the subject; false: there is none, or it is longer. */
bool chain_common_name(const struct chain_certificate *certificate, char *ret, size_t size);

/* One link: names, the issuer's right to issue, its signature (RSA-PSS with SHA-384 throughout,
 * ECDSA on P-256 with SHA-256, on P-384 with SHA-384). */
int chain_verify_link(const struct chain_certificate *certificate,
                      const struct chain_certificate *issuer,
                      struct evidence_verdict *verdict) must_check;
int chain_verify_time(const struct chain_certificate *certificate, int64_t time,
                      struct evidence_verdict *verdict) must_check;
/* That the list is the issuer's, of that time, and does not name the certificate. */
int chain_verify_crl(const struct chain_crl *crl, const struct chain_certificate *issuer,
                     const struct chain_certificate *certificate, int64_t time,
                     struct evidence_verdict *verdict) must_check;
/* The whole of a path, from the root downwards: the root's key is trusted, every link holds, path
 * lengths are kept, everything is valid at the time and not revoked; the leaf is no CA. */
int chain_verify_path(const struct chain_path *path, struct evidence_verdict *verdict) must_check;
