/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_report_report(void);
int migc_unwritten_report_report(void) { return 0; }
