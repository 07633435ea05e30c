/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_peer.h"

#include "base/clock.h"
#include "base/random.h"
#include "secure/channel.h"

enum status lease_renew(struct bed *bed, uint64_t seq, uint64_t ahead_ms, uint32_t ttl_ms,
                        Agent__RenewResponse **ret)
{
    Agent__RenewRequest request = AGENT__RENEW_REQUEST__INIT;
    char sentence[512];

    request.lease_seq = seq;
    request.tenant_ms = clock_monotonic_ms() + ahead_ms;
    request.ttl_ms = ttl_ms;
    return bed_call(bed, "Renew", &request, &agent__renew_response__descriptor, ret, sentence);
}

void lease_must_renew(struct bed *bed, uint64_t seq, uint64_t ahead_ms, uint32_t ttl_ms,
                      bool frozen)
{
    Agent__RenewResponse *reply = NULL;

    EXPECT(lease_renew(bed, seq, ahead_ms, ttl_ms, &reply) == STATUS_OK, "Renew %d", (int) seq);
    EXPECT(reply->frozen == frozen && reply->needs_appraisal == frozen, "Renew %d: %s", (int) seq,
           reply->frozen ? "frozen" : "not frozen");
    protobuf_c_message_free_unpacked(&reply->base, NULL);
}

void lease_appraise(struct bed *bed, uint32_t number)
{
    Agent__AppraiseRequest request = AGENT__APPRAISE_REQUEST__INIT;
    Agent__AppraiseResponse *reply;
    struct appraise_answer answer = {.number = number};
    uint8_t nonce[32];
    enum appraisal_check failed;
    struct error err;

    random_bytes(nonce, sizeof(nonce));
    request.nonce = (ProtobufCBinaryData){sizeof(nonce), nonce};
    request.number = number;
    reply = bed_must(bed, "Appraise", &request, &agent__appraise_response__descriptor);
    answer.nonce = nonce;
    answer.body = reply->evidence.data;
    answer.length = reply->evidence.len;
    if (channel_appraise_verify(bed->control_channel, &answer, &failed, &err) < 0)
        bed_die("the later appraisal: %s", err.message);
    protobuf_c_message_free_unpacked(&reply->base, NULL);
}
