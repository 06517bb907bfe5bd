/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_page_collector(void);
int migc_unwritten_page_collector(void) { return 0; }
