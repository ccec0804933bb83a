package blob

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/plinth-id/plinth/internal/fault"
)

type s3 struct {
	client *minio.Client
	bucket string
}

// S3 keeps blobs in a bucket: s3://KEY:SECRET@HOST/BUCKET[?region=…&insecure=true].
func S3(address string) (Store, error) {
	wrong := fault.New(fault.Invalid, "PLINTH_BLOB_URL must look like s3://KEY:SECRET@HOST/BUCKET?region=REGION. Correct it and start again.")
	u, err := url.Parse(address)
	if err != nil {
		return nil, wrong // without the cause: it would quote the secret
	}
	secret, ok := u.User.Password()
	bucket := strings.Trim(u.Path, "/")
	if !ok || u.Host == "" || bucket == "" || strings.Contains(bucket, "/") {
		return nil, wrong
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds:  credentials.NewStaticV4(u.User.Username(), secret, ""),
		Secure: u.Query().Get("insecure") != "true",
		Region: u.Query().Get("region"),
	})
	if err != nil {
		return nil, wrong
	}
	return s3{client, bucket}, nil
}

func (s s3) Put(ctx context.Context, key string, data []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(data) > maxBlob {
		return fmt.Errorf("storing blob %s: %w", key, errTooLarge)
	}
	_, err := s.client.PutObject(ctx, s.bucket, key, bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true})
	if err != nil {
		return fmt.Errorf("storing blob %s: %w", key, err)
	}
	return nil
}

func (s s3) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	object, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", key, err)
	}
	defer object.Close()
	data, err := read(object)
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		return nil, missing(key)
	}
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", key, err)
	}
	return data, nil
}

func (s s3) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := s.client.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{}); err != nil {
		return fmt.Errorf("deleting blob %s: %w", key, err)
	}
	return nil
}

func (s s3) Keys(ctx context.Context) ([]string, error) {
	var keys []string
	for object := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Recursive: true}) {
		if object.Err != nil {
			return nil, fmt.Errorf("listing blobs: %w", object.Err)
		}
		keys = append(keys, object.Key)
	}
	return keys, nil
}
