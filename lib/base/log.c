/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_base_log(void);
int migc_unwritten_base_log(void) { return 0; }
