/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_session_source(void);
int migc_unwritten_session_source(void) { return 0; }
