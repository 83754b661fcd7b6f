module cozeops.studio/lab/nsq

go 1.17

require github.com/nsqio/nsq v1.2.1

// nsq replaces this module in its own go.mod, and who depends on nsq has to say so again.
replace github.com/judwhite/go-svc => github.com/mreiferson/go-svc v1.2.2-0.20210815184239-7a96e00010f6
