/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_session_converge(void);
int migc_unwritten_session_converge(void) { return 0; }
