/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One handler per row of the gate: find, check, act, answer. Only the service files know the
 * messages on the wire. */

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;
struct rpc;

typedef void service_fn(struct rpc *rpc, const struct ProtobufCMessage *request);

/* service_control.c: the pod */
service_fn service_configure, service_appraise, service_ping, service_shutdown, service_watch;
/* service_seal.c */
service_fn service_seal_pod;
/* service_lease.c */
service_fn service_renew;
/* service_create.c */
service_fn service_create;
/* service_container.c */
service_fn service_start, service_delete, service_update, service_pause, service_resume,
    service_stats, service_pids;
/* service_process.c */
service_fn service_exec, service_kill, service_wait, service_resize, service_close_stdin,
    service_ack;
/* service_bulk.c */
service_fn service_has_blobs, service_put_blob;
/* service_volume.c */
service_fn service_put_volume, service_open_share;
/* service_stdio.c */
service_fn service_stdio;

/* The request types, so that the gate need not know what is in them. */
#define SERVICE_REQUEST(name)                                                                      \
    extern const struct ProtobufCMessageDescriptor agent__##name##__descriptor
SERVICE_REQUEST(seal_pod_request);
SERVICE_REQUEST(configure_request);
SERVICE_REQUEST(appraise_request);
SERVICE_REQUEST(renew_request);
SERVICE_REQUEST(ping_request);
SERVICE_REQUEST(create_request);
SERVICE_REQUEST(start_request);
SERVICE_REQUEST(exec_request);
SERVICE_REQUEST(kill_request);
SERVICE_REQUEST(process_request);
SERVICE_REQUEST(delete_request);
SERVICE_REQUEST(resize_request);
SERVICE_REQUEST(close_stdin_request);
SERVICE_REQUEST(update_request);
SERVICE_REQUEST(state_request);
SERVICE_REQUEST(container_request);
SERVICE_REQUEST(ack_request);
SERVICE_REQUEST(open_share_request);
SERVICE_REQUEST(watch_request);
SERVICE_REQUEST(shutdown_request);
SERVICE_REQUEST(has_blobs_request);
SERVICE_REQUEST(blob_chunk);
SERVICE_REQUEST(put_volume_request);
SERVICE_REQUEST(stdio_frame);
