/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* PEM: AMD's roots for Milan, Genoa and Turin. */
extern const char snp_amd_roots[];
