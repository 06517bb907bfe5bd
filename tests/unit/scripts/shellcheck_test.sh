#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# All our shell scripts, by their first line, through shellcheck. Skipped (77) without it.
set -u
cd "$(dirname -- "$0")/../../.." || exit 1

command -v shellcheck > /dev/null || {
	echo "no shellcheck here"
	exit 77
}

mapfile -t scripts < <(grep -rIlE --exclude-dir='build*' --exclude-dir=.git \
	'^#!/bin/(ba)?sh$' .ci app doc drivers-config lib scripts tests)
checked=()
for script in "${scripts[@]}"; do
	read -r first < "$script"
	[[ $first != '#!/bin/sh' && $first != '#!/bin/bash' ]] || checked+=("$script")
done
[ ${#checked[@]} -ge 5 ] || {
	echo "only ${#checked[@]} scripts found"
	exit 1
}
shellcheck "${checked[@]}" || exit 1
echo "${#checked[@]} scripts are clean"
