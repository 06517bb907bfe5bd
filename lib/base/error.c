/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_base_error(void);
int migc_unwritten_base_error(void) { return 0; }
