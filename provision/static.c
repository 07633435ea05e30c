/* SPDX-License-Identifier: Apache-2.0 */
/* cleave-provision-static: the host half exists already. The pod's annotation names its endpoint,
 * its key and initdata lie in <static.directory>/<endpoint>/{key.pem,initdata.toml}. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "minting.h"
#include "program.h"
#include "record.h"
#include "secure/initdata.h"
#include "secure/mint.h"
#include "shim/tenant_conf.h"

/* "192.0.2.1:7433" or "[2001:db8::1]:7433". The text becomes a directory's name, so that nothing
 * but an address and a port may be in it. */
static int parse_endpoint(const char *endpoint, char *address, size_t size, uint64_t *port,
                          struct error *err)
{
    const char *colon = strrchr(endpoint, ':');
    bool brackets = endpoint[0] == '[';
    size_t length = colon ? (size_t) (colon - endpoint) : 0;
    uint8_t raw[16];

    if (brackets && length > 2 && endpoint[length - 1] == ']') {
        endpoint++;
        length -= 2;
    }
    if (length == 0 || length >= size || !text_to_u64(colon + 1, port) || *port == 0 ||
        *port > UINT16_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the endpoint is not \"address:port\"");
    memcpy(address, endpoint, length);
    address[length] = '\0';
    if (inet_pton(brackets ? AF_INET6 : AF_INET, address, raw) != 1)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the endpoint's address is not an address");
    return 0;
}

static int create(const struct provision_request *request, const struct tenant_conf *conf,
                  struct js *answer, struct error *err)
{
    scoped(record_closep) struct record *record = NULL;
    scoped(initdata_freep) struct initdata *initdata = NULL;
    scoped(freep) char *initdata_path = NULL, *key_path = NULL;
    char address[INET6_ADDRSTRLEN], sandbox_id[2 * INITDATA_SANDBOX_ID_SIZE + 1];
    uint64_t port = 0;

    if (!request->endpoint)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the pod has no annotation cleave.dev/endpoint, which the static "
                         "provisioner needs");
    if (request->dial_out.family)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "transport dial-out needs a provisioner that makes the guest and can tell "
                         "it where to dial; static finds one that runs already: use direct or "
                         "relay");
    if (parse_endpoint(request->endpoint, address, sizeof(address), &port, err) < 0)
        return -1;
    initdata_path = xformat("%s/%s/initdata.toml", conf->static_directory, request->endpoint);
    key_path = xformat("%s/%s/key.pem", conf->static_directory, request->endpoint);
    if (initdata_load(initdata_path, &initdata, err) < 0)
        return error_wrap(err, "the host half at %s", request->endpoint);
    if (initdata_check_sealing(initdata, request->is_sealed ? request->manifest_digest : NULL,
                               err) < 0)
        return error_wrap(err, "the host half at %s", request->endpoint);
    if (!file_exists(key_path))
        return error_set(err, STATUS_NOT_FOUND, "there is no key for the host half at %s: %s",
                         request->endpoint, key_path);
    hex_encode(initdata->content.sandbox_id, INITDATA_SANDBOX_ID_SIZE, sandbox_id);
    provision_answer(answer, sandbox_id, initdata_path, key_path, request->endpoint);
    provision_add_endpoint(answer, "direct", address, (int64_t) port);
    if (record_open(request->cri_sandbox_id, RECORD_CREATE, &record, err) < 0)
        return -1;
    js_set_string(record_notes(record), "endpoint", request->endpoint);
    return record_save(record, err);
}

/* Whether that machine runs is not for this program to know; only appraisal tells. */
static int status(const struct provision_request *request, const struct tenant_conf *conf,
                  struct js *answer, struct error *err)
{
    scoped(record_closep) struct record *record = NULL;
    const char *endpoint;

    if (record_open(request->cri_sandbox_id, RECORD_MUST_EXIST, &record, err) < 0)
        return -1;
    endpoint = js_get_string(record_notes(record), "endpoint");
    js_set_string(answer, "host_id", endpoint ? endpoint : "");
    js_set_string(answer, "state", "unknown");
    return 0;
}

/* The host half is somebody else's; what is removed is what this program remembers. */
static int destroy(const struct provision_request *request, const struct tenant_conf *conf,
                   struct js *answer, struct error *err)
{
    scoped(record_closep) struct record *record = NULL;

    if (record_open(request->cri_sandbox_id, RECORD_MUST_EXIST, &record, err) < 0)
        return err->status == STATUS_NOT_FOUND ? 0 : -1;
    return record_remove(record, err);
}

/* Where the guest will be is not known before it is made, and it cannot be made without these. */
static int mint(const struct provision_request *request, const struct tenant_conf *conf,
                struct js *answer, struct error *err)
{
    scoped(freep) char *directory = xformat("%s/new", conf->static_directory);
    scoped(freep) char *initdata = NULL;
    struct js *annotations = js_new_object();
    struct mint mint;

    js_set(answer, "annotations", annotations);
    if (minting_make(directory, request, conf, &mint, err) < 0)
        return -1;
    initdata = base64_encode(mint.initdata->bytes, mint.initdata->length);
    js_set_string(answer, "sandbox_id", mint.sandbox_id);
    js_set_string(answer, "initdata_path", mint.initdata_path);
    js_set_string(answer, "key_path", mint.key_path);
    js_set_string(annotations, "cleave.dev/id", mint.sandbox_id);
    js_set_string(annotations, "cleave.dev/initdata", initdata);
    mint_fini(&mint);
    return 0;
}

int main(int argc, char *argv[])
{
    static const struct provisioner provisioner = {
        .program = "cleave-provision-static",
        .summary = "finds the host half of a pod where an annotation says that it is",
        .create = create,
        .status = status,
        .destroy = destroy,
        .mint = mint,
    };

    return provision_main(&provisioner, argc, argv);
}
