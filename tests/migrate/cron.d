# /etc/cron.d/etl
SHELL=/bin/sh
CRON_TZ=America/New_York

#= feeds.lst by hand
-*/10 6-22 * * *	etl	/srv/jobs/feeds/feeds.py --env DAY=$(date +\%F) -t 10
#= billing.lst by hand
0 1 * * *	etl	cd /srv/jobs/billing && ./billing.py --env MODE=full --env DB_TOKEN=abc --dump-logs
#= stock.lst by hand
30 1 * * *	root	su etl -s /bin/bash -c "umask 002; /srv/jobs/stock/stock.py --time-between-tasks 5 --preserve-context"
#= claims.lst by hand
0 2 * * 1-5	etl	[ -e /data/ready ] && /srv/jobs/claims/claims.py
#= rates.lst by hand
15 2 * * *	etl	. $HOME/.profile; python3 $HOME/jobs/rates/rates.py -i
#= mail_out.lst by hand
0 3 1,15 * *	etl	cd /data/mail && /srv/jobs/mail_out/mail_out.py -e "ops@example.com" --email-on-fail true | tee -a /tmp/mail.log
#= payroll.lst by hand
0 4 * * *	etl	/srv/jobs/payroll/payroll.py%Yes%
#= close_month.lst by hand
0 5 1 */3 *	etl	pyrunner -c /etc/other_profile -l /srv/jobs/billing/config/close_month.lst
#= audit.lst
@weekly	audit	nohup /srv/jobs/audit/audit.py --debug &
#= report.lst
0 6 * * *	etl	(cd /srv/jobs/claims/config && exec pyrunner -c app_profile -l report.lst)
#= nightly.lst by hand
30 6 * * *	etl	/srv/jobs/feeds/nightly.sh; /srv/jobs/stock/stock.py
#= unknown
0 7 * * *	etl	for a in feeds stock; do /srv/jobs/$a/$a.py; done
#= unknown
0 8 * * *	etl	ssh batch2 /srv/jobs/feeds/feeds.py
#= none
25 6	* * *	root	test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily
#= unknown
0 9 * * *	etl	docker exec etl pyrunner -l /srv/jobs/feeds/config/feeds.lst
#= unknown
7 7 * * 6,0	etl	/usr/bin/env python3 /srv/jobs/bin/../feeds/../bin/start.py weekend
#= random.lst
7-59/13 */6 * * *	etl	exec sudo -u etl -- bash /srv/jobs/bin/run_job.sh feeds random
#= again night.lst
0 0 29 2 *	etl	time -p pyrunner --exec-only=1 -c /srv/jobs/feeds/config/app_profile -l /srv/jobs/feeds/config/night.lst
#= days.lst
0 12 * * *	etl	PYRUNNER_DEBUG=1 pyrunner -c /srv/jobs/feeds/config/app_profile -l /srv/jobs/feeds/config/days.lst --restart
#= quarter.lst
@annually	etl	pyrunner -r -n 0 -c /srv/jobs/billing/config/app_profile -l /srv/jobs/billing/config/quarter.lst
#= either.lst
0 23 31 12 *	etl	stdbuf -oL pyrunner -c /srv/jobs/feeds/config/app_profile -l /srv/jobs/feeds/config/either.lst 2>/dev/null
#= purge.lst by hand
1 1 1 1 *	etl	test -d /srv/jobs; /usr/local/bin/pyrunner -c /srv/jobs/archive/config/app_profile -l /srv/jobs/archive/config/purge.lst
