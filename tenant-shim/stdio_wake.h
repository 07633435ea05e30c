/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the pipes of a process need of the one stream that carries them. */

struct loop;
struct pipes;
struct stdio;

struct loop *stdio_loop(struct stdio *stdio);
void stdio_add(struct stdio *stdio, struct pipes *pipes);
void stdio_remove(struct stdio *stdio, struct pipes *pipes);
/* Some pipes have a frame to send. */
void stdio_wake(struct stdio *stdio);
