/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_engine_engine(void);
int migc_unwritten_engine_engine(void) { return 0; }
