/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "evidence/sgx_pck.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sgx_pck pck;
    struct error err;

    (void) !sgx_pck_parse(data, size, &pck, &err);
    return 0;
}
