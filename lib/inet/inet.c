/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_inet_inet(void);
int migc_unwritten_inet_inet(void) { return 0; }
