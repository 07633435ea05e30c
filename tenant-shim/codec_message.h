/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A message of any type, kept for as long as its call may have to be sent again. */

struct ProtobufCMessage;

struct ProtobufCMessage *message_copy(const struct ProtobufCMessage *message);
void message_free(struct ProtobufCMessage *message); /* NULL is fine */
