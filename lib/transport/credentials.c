/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_transport_credentials(void);
int migc_unwritten_transport_credentials(void) { return 0; }
