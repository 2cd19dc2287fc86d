uname -a
find / -xdev -type f | head -n 300 | xargs md5sum | md5sum
dmesg | sed 's/^[^]]*\]//' | gzip -9 | gunzip | wc -l
i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); [ $((i % 100)) != 0 ] || (exit 0); done; echo $i
