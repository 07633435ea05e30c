/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One verb, one file. Each takes its own name as argv[0] and answers the exit code. */

enum { EXIT_USAGE = 2 };

int check_main(int argc, char *argv[]);
int diff_main(int argc, char *argv[]);
int evidence_main(int argc, char *argv[]);
int explain_main(int argc, char *argv[]);
int join_main(int argc, char *argv[]);
int measure_main(int argc, char *argv[]);
int policy_main(int argc, char *argv[]);
int split_main(int argc, char *argv[]);
int status_main(int argc, char *argv[]);
int verify_main(int argc, char *argv[]);
int version_main(int argc, char *argv[]);
